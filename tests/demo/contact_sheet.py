"""One game as one picture: a row per round, the rated pictures framed. Knows only Pillow."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

from tests.demo.game import Round

_TILE_PX = 144
_GAP_PX = 14
_FRAME_PX = 5
_LABEL_PX = 150
_TITLE_PX = 54
_GROUND = (250, 250, 250)
_TEXT = (40, 40, 40)
_LIKED = (34, 139, 60)
_DISLIKED = (200, 48, 48)


def draw(rounds: Sequence[Round], title: str) -> Image.Image:
    """Returns the sheet; green frames are liked pictures, red ones disliked."""
    columns = max(len(round_.pictures) for round_ in rounds)
    width = _LABEL_PX + columns * (_TILE_PX + _GAP_PX) + _GAP_PX
    height = _TITLE_PX + len(rounds) * (_TILE_PX + _GAP_PX) + _GAP_PX
    sheet = Image.new("RGB", (width, height), _GROUND)
    pen = ImageDraw.Draw(sheet)
    pen.text((_GAP_PX, 12), title, fill=_TEXT, font=font(20))
    for row, round_ in enumerate(rounds):
        top = _TITLE_PX + row * (_TILE_PX + _GAP_PX)
        _draw_label(pen, round_, top)
        for column, picture in enumerate(round_.pictures):
            left = _LABEL_PX + column * (_TILE_PX + _GAP_PX)
            _draw_frame(pen, round_, column, (left, top))
            tile = picture.convert("RGB").resize((_TILE_PX, _TILE_PX), Image.Resampling.LANCZOS)
            sheet.paste(tile, (left, top))
    return sheet


def _draw_label(pen: ImageDraw.ImageDraw, round_: Round, top: int) -> None:
    name = "No feedback" if round_.number == 0 else f"Round {round_.number}"
    pen.text((_GAP_PX, top + _TILE_PX // 2 - 26), name, fill=_TEXT, font=font(18))
    share = f"{sum(round_.hits)} of {len(round_.hits)} match"
    pen.text((_GAP_PX, top + _TILE_PX // 2 + 2), share, fill=_TEXT, font=font(15))


def _draw_frame(
    pen: ImageDraw.ImageDraw, round_: Round, column: int, corner: tuple[int, int]
) -> None:
    if column not in (round_.liked, round_.disliked):
        return
    left, top = corner
    colour = _LIKED if column == round_.liked else _DISLIKED
    reach = _FRAME_PX
    pen.rectangle((left - reach, top - reach, left + _TILE_PX + reach - 1,
                   top + _TILE_PX + reach - 1), fill=colour)  # fmt: skip


def font(size_px: int) -> ImageFont.ImageFont:
    """DejaVu Sans if the machine has it."""
    try:
        return ImageFont.truetype("DejaVuSans.ttf", size_px)
    except OSError:
        return ImageFont.load_default()
