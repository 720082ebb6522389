"""What can be seen, by Unicode's own lists rather than by the code's."""

import unicodedata

import pytest

from lib_fabric.visible_text import is_visible

# DerivedCoreProperties.txt, Default_Ignorable_Code_Point: never shown, assigned or not.
IGNORED = [
    (0x00AD, 0x00AD), (0x034F, 0x034F), (0x061C, 0x061C), (0x115F, 0x1160), (0x17B4, 0x17B5),
    (0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164),
    (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFF8), (0x1BCA0, 0x1BCA3),
    (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF),
]  # fmt: skip
# Python 3.10 knows Unicode 13, which has this one only as not assigned.
NEWER = {0x180F}


def test_what_unicode_says_is_never_shown_is_not_visible():
    for first, last in IGNORED:
        for code in {*range(first, last + 1)} - NEWER:
            assert not is_visible(chr(code)), hex(code)


def test_spaces_and_accents_without_a_letter_are_not_visible():
    for code in range(0x110000):
        character = chr(code)
        if character.isspace() or unicodedata.combining(character):
            assert not is_visible(character), hex(code)
    assert not is_visible("")
    assert not is_visible("\u200b \u0301\u202e\ufe0f\u2800")


@pytest.mark.parametrize(
    "text",
    [
        *("a", "é", "e\u0301", "7", "?", "_", "ß", "猫", "가", "ㄱ", "क", "ش", "👩‍🎨", "❤\ufe0f"),
        # An emoji that this Python may not know yet, and a picture of a font of one's own.
        *("\U0001fae8", "\ue000", "\u200b.\u200b", "\u202eabc"),
    ],
)
def test_a_letter_a_digit_or_a_sign_is_visible(text):
    assert is_visible(text)


def test_all_other_letters_of_unicode_are_visible():
    blank = set("\u115f\u1160\u3164\uffa0")
    letters = {chr(code) for code in range(0x110000) if chr(code).isalnum()}
    assert {each for each in letters if not is_visible(each)} == blank
