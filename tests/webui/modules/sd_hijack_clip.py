"""The text encoder as the host replaces it: chunks of 75 tokens, `(emphasis:1.2)`, `BREAK`."""

from __future__ import annotations

import re

import torch
from torch import nn

CHUNK_TOKENS = 75
_FACTORS = {"(": 1.1, "[": 1 / 1.1}
_CLOSES = {")": "(", "]": "["}
_PIECE = re.compile(
    r"\\[()\[\]\\]|\(|\[|:\s*(?P<weight>[-+]?\d*\.?\d+)\s*\)|\)|\]|[^\\()\[\]:]+|.", re.S
)


def parse_prompt_attention(text: str) -> list[list]:
    """Splits into [text, weight]: `(a)` 1.1, `[a]` 1/1.1, `(a:1.3)` 1.3, `\\(` a bracket."""
    pieces: list[list] = []
    opened: dict[str, list[int]] = {"(": [], "[": []}

    def scale(start: int, factor: float) -> None:
        for piece in pieces[start:]:
            piece[1] *= factor

    for m in _PIECE.finditer(text):
        found, weight = m.group(0), m.group("weight")
        closes = "(" if weight is not None else _CLOSES.get(found)
        if found in opened:
            opened[found].append(len(pieces))
        elif closes and opened[closes]:
            scale(opened[closes].pop(), _FACTORS[closes] if weight is None else float(weight))
        else:
            escaped = found[0] == "\\" and len(found) > 1
            pieces.append([found[1:] if escaped else found, 1.0])
    for bracket, starts in opened.items():
        for start in starts:
            scale(start, _FACTORS[bracket])
    return _merge(pieces)


def _merge(pieces: list[list]) -> list[list]:
    merged: list[list] = []
    for text, weight in pieces:
        if merged and merged[-1][1] == weight:
            merged[-1][0] += text
        else:
            merged.append([text, weight])
    return merged or [["", 1.0]]


class FrozenCLIPEmbedderWithCustomWords(nn.Module):
    """Encodes texts to B x 77k x C; all texts of one call get the chunks of the longest."""

    def __init__(self, wrapped: nn.Module, hijack: object) -> None:
        super().__init__()
        self.wrapped = wrapped
        self.hijack = hijack
        self.tokenizer = wrapped.tokenizer
        self.id_start = self.tokenizer.bos_token_id
        self.id_end = self.tokenizer.eos_token_id
        self.id_pad = self.id_end

    def _tokens(self, text: str) -> list[tuple[int, float]]:
        """Token ids with weights; `BREAK` fills up the chunk with padding."""
        tokens: list[tuple[int, float]] = []
        for piece, weight in parse_prompt_attention(text):
            for i, part in enumerate(re.split(r"\s*\bBREAK\b\s*", piece)):
                if i and len(tokens) % CHUNK_TOKENS:
                    missing = CHUNK_TOKENS - len(tokens) % CHUNK_TOKENS
                    tokens += [(self.id_end, 1.0)] * missing
                ids = self.tokenizer(part, truncation=False, add_special_tokens=False)["input_ids"]
                tokens += [(token, weight) for token in ids]
        return tokens

    def get_token_count(self, text: str) -> int:
        """How many tokens a prompt has."""
        return len(self._tokens(text))

    def get_target_prompt_token_count(self, token_count: int) -> int:
        """The tokens of the chunks that a prompt fills."""
        return max(1, -(-token_count // CHUNK_TOKENS)) * CHUNK_TOKENS

    def forward(self, texts: list[str]) -> torch.Tensor:
        """Encodes texts, B x 77k x C."""
        tokens = [self._tokens(text) for text in texts]
        count = max(self.get_target_prompt_token_count(len(t)) for t in tokens) // CHUNK_TOKENS
        chunks = []
        for i in range(count):
            part = [t[i * CHUNK_TOKENS : (i + 1) * CHUNK_TOKENS] for t in tokens]
            chunks.append(self._encode(part))
        return torch.cat(chunks, dim=1)

    def _encode(self, chunk: list[list[tuple[int, float]]]) -> torch.Tensor:
        ids, weights = [], []
        for tokens in chunk:
            missing = CHUNK_TOKENS - len(tokens)
            ids.append([self.id_start, *(t for t, _ in tokens), *[self.id_end] * (missing + 1)])
            weights.append([1.0, *(w for _, w in tokens), *[1.0] * (missing + 1)])
        z = self.encode_with_transformers(torch.tensor(ids))
        scale = torch.tensor(weights).to(z)
        if bool((scale == 1).all()):
            return z
        weighted = z * scale.unsqueeze(-1)
        return weighted * (z.mean() / weighted.mean())  # the mean stays what it was

    def encode_with_transformers(self, tokens: torch.Tensor) -> torch.Tensor:
        """Runs the text model; the option for CLIP skip takes an earlier layer."""
        from modules import shared

        skip = shared.opts.CLIP_stop_at_last_layers
        model = self.wrapped.transformer
        out = model(input_ids=tokens, output_hidden_states=skip > 1)
        if skip > 1:
            return model.text_model.final_layer_norm(out.hidden_states[-skip])
        return out.last_hidden_state
