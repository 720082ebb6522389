"""The tokenizer's small vocabulary: every byte, plus one token for each word we train on.

Same format as CLIP's (byte-level BPE with "</w>" word ends), so CLIPTokenizer reads it and any
text can be tokenised; words that were never trained on fall apart into bytes.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

from transformers.models.clip.tokenization_clip import bytes_to_unicode

from .shapes import PALETTE, SHAPES

START, END = "<|startoftext|>", "<|endoftext|>"
WORDS = (*SHAPES, *PALETTE, "a", "of", "on", "picture", "shape", "background", ",")


def build_vocabulary(
    words: tuple[str, ...] = WORDS,
) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """Return token ids and merges, in order of rank, so that each word is one token."""
    letters = list(bytes_to_unicode().values())
    merges: list[tuple[str, str]] = []
    for word in words:
        pieces = _split(word, merges)
        while len(pieces) > 1:
            # A later rank never disturbs a word that is already whole.
            merges.append((pieces[0], pieces[1]))
            pieces = _split(word, merges)
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    tokens += ["".join(pair) for pair in merges]
    # The text model finds the end of a prompt as its highest id: END comes last.
    tokens += [START, END]
    return {token: index for index, token in enumerate(tokens)}, merges


def write_tokenizer(folder: Path) -> int:
    """Write vocab.json, merges.txt and the tokenizer's settings; return the vocabulary's size."""
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary, merges = build_vocabulary()
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges)]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    special = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": 77,
        "do_lower_case": True,
        "errors": "replace",
        "add_prefix_space": False,
        **special,
    }
    for name, content in {
        "vocab.json": vocabulary,
        "special_tokens_map.json": special,
        "tokenizer_config.json": settings,
    }.items():
        text = json.dumps(content, ensure_ascii=False, indent=1)
        (folder / name).write_text(text + "\n", encoding="utf-8")
    return len(vocabulary)


def _split(word: str, merges: list[tuple[str, str]]) -> list[str]:
    """Split one word by the merges, lowest rank first."""
    pieces = [*word[:-1], f"{word[-1]}</w>"]
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    while True:
        pairs = enumerate(pairwise(pieces))
        known = [(ranks[pair], index) for index, pair in pairs if pair in ranks]
        if not known:
            return pieces
        at = min(known)[1]
        pieces[at : at + 2] = [pieces[at] + pieces[at + 1]]
