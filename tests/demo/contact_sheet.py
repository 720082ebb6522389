"""The same game played with each method, as one picture. Knows only Pillow.

A row per round; the rated pictures are framed and carry their thumb, but not those of the last
round, which nothing follows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from PIL import Image, ImageDraw, ImageFont

from tests.demo.game import Round

_TILE_PX = 92
_GAP_PX = 12
_FRAME_PX = 4
_BADGE_PX = 30
_LABEL_PX = 110
_PANEL_GAP_PX = 36
_TITLE_PX = 76
_CAPTION_PX = 22
_FOOT_PX = 34
_GROUND = (250, 250, 250)
_TEXT = (40, 40, 40)
_LIKED = (34, 139, 60)
_DISLIKED = (200, 48, 48)
_ROW_PX = _TILE_PX + _CAPTION_PX + _GAP_PX
# The only size that this font has.
_EMOJI_PX = 109


def draw(games: Mapping[str, Sequence[Round]], title: str) -> Image.Image:
    """Returns the sheet.

    Args:
        games: by the name of the method, rounds of equally many pictures.
        title: what was asked for.
    """
    rounds = max(games.values(), key=len)
    columns = max(len(each.pictures) for game in games.values() for each in game)
    panel = columns * (_TILE_PX + _GAP_PX) - _GAP_PX
    width = _LABEL_PX + len(games) * (panel + _PANEL_GAP_PX)
    sheet = Image.new("RGB", (width, _TITLE_PX + len(rounds) * _ROW_PX + _FOOT_PX), _GROUND)
    pen = ImageDraw.Draw(sheet)
    pen.text((_GAP_PX, 12), title, fill=_TEXT, font=font(20))
    for row, each in enumerate(rounds):
        name = f"Round {each.number}" if each.number else "No feedback"
        middle = _TITLE_PX + row * _ROW_PX + _TILE_PX // 2 - 8
        pen.text((_GAP_PX, middle), name, fill=_TEXT, font=font(15))
    for number, (method, game) in enumerate(games.items()):
        left = _LABEL_PX + number * (panel + _PANEL_GAP_PX)
        pen.text((left, 46), f"Method: {method}", fill=_TEXT, font=font(17))
        _draw_game(sheet, game, left)
    foot = (
        "Match: what was wanted is there. Variety: how much the pictures differ, "
        "without feedback 100 %."
    )
    pen.text((_GAP_PX, sheet.height - _FOOT_PX + 6), foot, fill=_TEXT, font=font(13))
    return sheet


def _draw_game(sheet: Image.Image, game: Sequence[Round], left: int) -> None:
    pen = ImageDraw.Draw(sheet)
    for row, each in enumerate(game):
        top = _TITLE_PX + row * _ROW_PX
        for column, picture in enumerate(each.pictures):
            corner = (left + column * (_TILE_PX + _GAP_PX), top)
            verdict = None
            if row < len(game) - 1:
                verdict = {each.disliked: "disliked", each.liked: "liked"}.get(column)
            _draw_tile(sheet, picture, corner, verdict)
        variety = 100 * each.diversity / game[0].diversity if game[0].diversity else 0
        share = f"{sum(each.hits)} of {len(each.hits)} match, variety {variety:.0f} %"
        pen.text((left, top + _TILE_PX + 6), share, fill=_TEXT, font=font(14))


def _draw_tile(
    sheet: Image.Image, picture: Image.Image, corner: tuple[int, int], verdict: str | None
) -> None:
    left, top = corner
    if verdict is not None:
        colour = _LIKED if verdict == "liked" else _DISLIKED
        box = (left - _FRAME_PX, top - _FRAME_PX, left + _TILE_PX + _FRAME_PX - 1,
               top + _TILE_PX + _FRAME_PX - 1)  # fmt: skip
        ImageDraw.Draw(sheet).rectangle(box, fill=colour)
    tile = picture.convert("RGB").resize((_TILE_PX, _TILE_PX), Image.Resampling.LANCZOS)
    sheet.paste(tile, corner)
    if verdict is not None:
        badge = _badge("👍" if verdict == "liked" else "👎", colour)
        sheet.paste(badge, (left + _TILE_PX - _BADGE_PX, top + _TILE_PX - _BADGE_PX), badge)


def _badge(thumb: str, colour: tuple[int, int, int]) -> Image.Image:
    """A thumb on a disc; without a font that has it, + or -."""
    size = 4 * _BADGE_PX
    badge = Image.new("RGBA", (size, size))
    pen = ImageDraw.Draw(badge)
    pen.ellipse((0, 0, size - 1, size - 1), fill=colour)
    try:
        emoji = ImageFont.truetype("NotoColorEmoji.ttf", _EMOJI_PX)
    except OSError:
        sign = "+" if thumb == "👍" else "-"
        pen.text((size // 2, size // 2), sign, fill="white", font=font(size * 3 // 4), anchor="mm")
    else:
        glyph = Image.new("RGBA", (_EMOJI_PX * 5 // 4, _EMOJI_PX * 5 // 4))
        ImageDraw.Draw(glyph).text((0, 0), thumb, font=emoji, embedded_color=True)
        glyph = glyph.crop(glyph.getbbox())
        glyph.thumbnail((size * 7 // 10, size * 7 // 10), Image.Resampling.LANCZOS)
        at = ((size - glyph.width) // 2, (size - glyph.height) // 2)
        badge.paste(glyph, at, glyph)
    return badge.resize((_BADGE_PX, _BADGE_PX), Image.Resampling.LANCZOS)


def font(size_px: int) -> ImageFont.ImageFont:
    """DejaVu Sans if the machine has it."""
    try:
        return ImageFont.truetype("DejaVuSans.ttf", size_px)
    except OSError:
        return ImageFont.load_default()
