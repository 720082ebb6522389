"""Prompts to conditionings: AND parts with weights, and `[from:to:when]` schedules."""

from __future__ import annotations

import re
from collections import namedtuple

import torch

ScheduledPromptConditioning = namedtuple("ScheduledPromptConditioning", ["end_at_step", "cond"])

_AND = re.compile(r"\bAND\b")
_WEIGHT = re.compile(r"^(?P<text>.*?)(?:\s*:\s*(?P<weight>[-+]?(?:\d+\.?\d*|\.\d+)))?\s*$", re.S)
_EDIT = re.compile(r"\[(?:([^\[\]:]*):)?([^\[\]:]*):\s*(\d*\.?\d+)\s*\]")


class SdConditioning(list):
    """Prompts that also know the picture's size (SDXL needs it) and if they are negative."""

    def __init__(
        self,
        prompts: list[str],
        is_negative_prompt: bool = False,
        width: int | None = None,
        height: int | None = None,
        copy_from: object = None,
    ) -> None:
        super().__init__(prompts)
        source = prompts if copy_from is None else copy_from
        self.is_negative_prompt = is_negative_prompt or getattr(source, "is_negative_prompt", False)
        self.width = width or getattr(source, "width", None)
        self.height = height or getattr(source, "height", None)


def get_learned_conditioning_prompt_schedules(
    prompts: list[str],
    base_steps: int,
    hires_steps: int | None = None,
    use_old_scheduling: bool = False,
) -> list[list[list]]:
    """Per prompt a list of [last step, text]. Only flat `[from:to:when]` is understood here."""
    steps = hires_steps or base_steps
    return [_schedule(prompt, steps) for prompt in prompts]


def _switch_step(when: str, steps: int) -> int:
    return min(steps, int(float(when) * steps) if "." in when else int(when))


def _schedule(prompt: str, steps: int) -> list[list]:
    ends = {_switch_step(m.group(3), steps) for m in _EDIT.finditer(prompt)} | {steps}

    def at(step: int) -> str:
        def pick(m: re.Match) -> str:
            early = step <= _switch_step(m.group(3), steps)
            return (m.group(1) or "") if early else m.group(2)

        return _EDIT.sub(pick, prompt)

    return [[end, at(end)] for end in sorted(ends) if end > 0]


def get_learned_conditioning(
    model: object,
    prompts: SdConditioning | list[str],
    steps: int,
    hires_steps: int | None = None,
    use_old_scheduling: bool = False,
) -> list[list[ScheduledPromptConditioning]]:
    """Per prompt its schedule of encoded texts. Equal prompts share one object."""
    schedules = get_learned_conditioning_prompt_schedules(
        prompts, steps, hires_steps, use_old_scheduling
    )
    encoded: dict[str, list] = {}
    for prompt, schedule in zip(prompts, schedules, strict=True):
        if prompt in encoded:
            continue
        texts = SdConditioning([text for _, text in schedule], copy_from=prompts)
        conds = model.get_learned_conditioning(texts)
        encoded[prompt] = [
            ScheduledPromptConditioning(end, _item(conds, i)) for i, (end, _) in enumerate(schedule)
        ]
    return [encoded[prompt] for prompt in prompts]


def _item(conds: dict | torch.Tensor, i: int) -> dict | torch.Tensor:
    return {k: v[i] for k, v in conds.items()} if isinstance(conds, dict) else conds[i]


def get_multicond_prompt_list(
    prompts: SdConditioning | list[str],
) -> tuple[list[list[tuple[int, float]]], SdConditioning, dict[str, int]]:
    """Splits at AND: per prompt (index into the flat list, weight); the flat list; its index."""
    flat = SdConditioning([], copy_from=prompts)
    position: dict[str, int] = {}
    parts: list[list[tuple[int, float]]] = []
    for prompt in prompts:
        indexes = []
        for part in _AND.split(prompt):
            match = _WEIGHT.match(part)
            text, weight = match.group("text"), match.group("weight")
            if text not in position:
                position[text] = len(flat)
                flat.append(text)
            indexes.append((position[text], 1.0 if weight is None else float(weight)))
        parts.append(indexes)
    return parts, flat, position


class ComposableScheduledPromptConditioning:
    """One AND part: its schedule and weight."""

    def __init__(self, schedules: list, weight: float = 1.0) -> None:
        self.schedules = schedules
        self.weight = weight


class MulticondLearnedConditioning:
    """The AND parts of every picture of a batch."""

    def __init__(self, shape: tuple, batch: list[list]) -> None:
        self.shape = shape
        self.batch = batch


def get_multicond_learned_conditioning(
    model: object,
    prompts: SdConditioning | list[str],
    steps: int,
    hires_steps: int | None = None,
    use_old_scheduling: bool = False,
) -> MulticondLearnedConditioning:
    """As `get_learned_conditioning`, for prompts with AND."""
    parts, flat, _ = get_multicond_prompt_list(prompts)
    learned = get_learned_conditioning(model, flat, steps, hires_steps, use_old_scheduling)
    batch = [
        [ComposableScheduledPromptConditioning(learned[i], weight) for i, weight in indexes]
        for indexes in parts
    ]
    return MulticondLearnedConditioning(shape=(len(prompts),), batch=batch)


class DictWithShape(dict):
    """SDXL's conditioning: a dict that answers `.shape` with that of its crossattn."""

    def __init__(self, x: dict, shape: tuple | None = None) -> None:
        super().__init__(x)

    @property
    def shape(self) -> tuple:
        return self["crossattn"].shape


def _at_step(schedule: list[ScheduledPromptConditioning], step: int) -> dict | torch.Tensor:
    return next((e.cond for e in schedule if step <= e.end_at_step), schedule[0].cond)


def reconstruct_cond_batch(c: list[list[ScheduledPromptConditioning]], current_step: int) -> object:
    """The encoded negative prompts of a batch at a step, B x T x C."""
    return _stack([_at_step(schedule, current_step) for schedule in c])


def reconstruct_multicond_batch(
    c: MulticondLearnedConditioning, current_step: int
) -> tuple[list[list[tuple[int, float]]], object]:
    """Per picture its (row, weight) pairs, and all rows, picture by picture."""
    rows: list = []
    per_picture = []
    for parts in c.batch:
        pairs = []
        for part in parts:
            pairs.append((len(rows), part.weight))
            rows.append(_at_step(part.schedules, current_step))
        per_picture.append(pairs)
    return per_picture, _stack(rows)


def _stack(conds: list) -> object:
    if isinstance(conds[0], dict):
        return DictWithShape({k: stack_conds([c[k] for c in conds]) for k in conds[0]})
    return stack_conds(list(conds))


def stack_conds(tensors: list[torch.Tensor]) -> torch.Tensor:
    """Stacks encoded prompts; shorter ones repeat their last token."""
    longest = max(t.shape[0] for t in tensors)
    padded = []
    for t in tensors:
        missing = longest - t.shape[0]
        padded.append(torch.cat([t, t[-1:].expand(missing, -1)]) if missing else t)
    return torch.stack(padded)
