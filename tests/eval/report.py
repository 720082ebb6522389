"""Results as JSON, a Markdown table and a plot. Knows Pillow; not how games are played."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from PIL import Image, ImageDraw

from tests.demo.contact_sheet import font
from tests.eval.estimates import Estimate, mean_of, ratio_of
from tests.eval.protocol import RoundScores

# One game: its rounds, round 0 first.
Game = Sequence[RoundScores]

_RELATIVE = ("diversity", "adherence", "saturation")
_ABSOLUTE = ("hit_rate", "mean", "best", "worst")


@dataclass(frozen=True)
class ArmSummary:
    """One arm's estimates by round; `_RELATIVE` ones relative to round 0."""

    name: str
    num_games: int
    rounds: list[dict[str, Estimate]]

    @property
    def last(self) -> dict[str, Estimate]:
        """The last round's."""
        return self.rounds[-1]

    def to_json(self) -> dict[str, object]:
        """As plain types."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> ArmSummary:
        """The inverse of `to_json`."""
        rounds = [
            {key: Estimate(**each) for key, each in scores.items()} for scores in values["rounds"]
        ]
        return cls(values["name"], values["num_games"], rounds)


def summarise(name: str, games: Sequence[Game]) -> ArmSummary:
    """Estimates over games, round by round."""
    rounds = []
    first = [game[0] for game in games]
    for scores in zip(*games, strict=True):
        estimates = {key: mean_of([getattr(each, key) for each in scores]) for key in _ABSOLUTE}
        for key in _RELATIVE:
            values, bases = ([getattr(each, key) for each in some] for some in (scores, first))
            estimates[key] = ratio_of(values, bases)
        rounds.append(estimates)
    return ArmSummary(name, len(games), rounds)


def table(summaries: Sequence[ArmSummary]) -> str:
    """Markdown: hit rate by round, and the last round's other measures."""
    num_rounds = len(summaries[0].rounds)
    head = ["Feedback", "Games", *(f"Round {number}" for number in range(num_rounds - 1))]
    head += [f"Round {num_rounds - 1} (95 %)", "Diversity (95 %)", "Adherence"]
    head += ["Saturation", "Mean score"]
    rows = [head, ["---"] * len(head)]
    for summary in summaries:
        last = summary.last
        hits = [f"{each['hit_rate'].value:.2f}" for each in summary.rounds[:-1]]
        rows.append([
            summary.name, str(summary.num_games), *hits,
            str(last["hit_rate"]), str(last["diversity"]),
            *(f"{last[key].value:.2f}" for key in ("adherence", "saturation", "mean")),
        ])  # fmt: skip
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def plot(summaries: Sequence[ArmSummary]) -> Image.Image:
    """The last round on the plane of hit rate (upwards) against diversity (to the right)."""
    canvas = _Canvas()
    for number, summary in enumerate(summaries):
        colour = _COLOURS[number % len(_COLOURS)]
        canvas.point(summary.last["diversity"], summary.last["hit_rate"], colour, str(number + 1))
        canvas.legend(number, colour, f"{number + 1}  {summary.name}")
    return canvas.image


_Colour = tuple[int, int, int]
_COLOURS = ((130, 130, 130), (70, 130, 200), (200, 60, 60), (225, 150, 30), (30, 150, 70),
            (150, 90, 190), (110, 80, 50), (30, 160, 170), (200, 100, 150))  # fmt: skip
_TEXT, _LINE = (40, 40, 40), (222, 222, 222)
_MAX_DIVERSITY = 1.2


class _Canvas:
    """Axes with points; coordinates are data, diversity 0 to 1.2 and hit rate 0 to 1."""

    _SIZE_PX = (900, 520)  # width, height
    _LEFT, _RIGHT, _TOP, _BOTTOM = 70, 600, 30, 450

    def __init__(self) -> None:
        self.image = Image.new("RGB", self._SIZE_PX, (255, 255, 255))
        self._pen = ImageDraw.Draw(self.image)
        for tenth in range(0, 11, 2):
            y = self._y(tenth / 10)
            self._pen.line((self._LEFT, y, self._RIGHT, y), fill=_LINE)
            self._write((self._LEFT - 12, y), f"{tenth / 10:.1f}", "rm")
        for fifth in range(7):
            x = self._x(fifth / 5)
            self._pen.line((x, self._TOP, x, self._BOTTOM), fill=_LINE)
            self._write((x, self._BOTTOM + 10), f"{fifth / 5:.1f}", "mt")
        middle = (self._LEFT + self._RIGHT) // 2
        self._write((middle, self._BOTTOM + 36), "diversity relative to round 0", "mt")
        self._write((self._LEFT - 56, self._TOP - 22), "hit rate in the last round", "lt")

    def point(self, diversity: Estimate, hit_rate: Estimate, colour: _Colour, label: str) -> None:
        """A point with both intervals."""
        x, y = self._x(diversity.value), self._y(hit_rate.value)
        across = (self._x(diversity.low), y, self._x(diversity.high), y)
        along = (x, self._y(hit_rate.low), x, self._y(hit_rate.high))
        for line in (across, along):
            self._pen.line(line, fill=colour, width=2)
        self._pen.ellipse((x - 10, y - 10, x + 10, y + 10), fill=colour)
        self._write((x, y), label, "mm", (255, 255, 255))

    def legend(self, number: int, colour: _Colour, text: str) -> None:
        """One line beside the plot."""
        y = self._TOP + 16 + number * 28
        self._pen.ellipse((self._RIGHT + 20, y - 7, self._RIGHT + 34, y + 7), fill=colour)
        self._write((self._RIGHT + 44, y), text, "lm")

    def _x(self, diversity: float) -> float:
        share = min(max(diversity, 0.0), _MAX_DIVERSITY) / _MAX_DIVERSITY
        return self._LEFT + share * (self._RIGHT - self._LEFT)

    def _y(self, hit_rate: float) -> float:
        return self._BOTTOM - hit_rate * (self._BOTTOM - self._TOP)

    def _write(
        self, place: tuple[float, float], text: str, anchor: str, fill: _Colour = _TEXT
    ) -> None:
        """`anchor`: l, m or r, then t or m: which part of the text lies on `place`."""
        # By hand: fonts that are not TrueType know no anchors.
        left, top, right, bottom = self._pen.textbbox((0, 0), text, font=font(15))
        x = place[0] - {"l": 0, "m": 0.5, "r": 1}[anchor[0]] * (right - left)
        y = place[1] - top - {"t": 0, "m": 0.5}[anchor[1]] * (bottom - top)
        self._pen.text((x, y), text, fill=fill, font=font(15))


def replace_section(text: str, name: str, body: str) -> str:
    """Puts `body` between `<!-- name -->` and `<!-- end of name -->`.

    Raises:
        ValueError: the marks are not there.
    """
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    before, found, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found and found_end):
        raise ValueError(f"no section {name!r}")
    return before + begin + body + end + after


def as_json(
    settings: Mapping[str, object], summaries: Mapping[str, Sequence[ArmSummary]]
) -> dict[str, object]:
    """Everything that is needed to read or redo the run."""
    results = {name: [summary.to_json() for summary in group] for name, group in summaries.items()}
    return {"settings": dict(settings), "results": results}
