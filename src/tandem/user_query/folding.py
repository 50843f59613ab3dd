"""Text as people type it: `nunez` finds Núñez, and `strasse` finds Straße.

The fold is in the pattern and not in the documents, so it finds what was written long ago, and nobody who
writes pays for it.
"""

import re
import unicodedata
from collections import defaultdict

# Latin, Greek and Cyrillic: where letters are other letters with something on them.
_RANGES = (range(0xC0, 0x530), range(0x1E00, 0x2000))
# What has no decomposition, and is typed as this where a keyboard lacks it.
_OTHERS = {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ŧ": "t", "\u0131": "i"}
_PAIRS = {"ss": "ß", "ae": "æ", "oe": "œ", "th": "þ"}
_MARKS = "[\u0300-\u036f]"


def _bases() -> dict[str, str]:
    """The plain letter of each letter that has something on it."""
    bases = dict(_OTHERS)
    for letter in (chr(code) for each in _RANGES for code in each):
        base = re.sub(_MARKS, "", unicodedata.normalize("NFD", letter)).lower()
        if len(base) == 1 and base.isalpha() and base != letter.lower():
            # The capital of the Turkish i has no small letter of one character.
            bases[letter.lower() if len(letter.lower()) == 1 else letter] = bases.get(base, base)
    return bases


_BASES = _bases()
_VARIANTS: dict[str, str] = defaultdict(str)
for _letter, _base in _BASES.items():
    _VARIANTS[_base] += _letter


def pattern_of(text: str) -> str:
    """A pattern for MongoDB, to be used with the option `i`: this text, with accents or without.

    It has nothing of a pattern that the text may hold: that is escaped.
    """
    plain = "".join(_BASES.get(letter, letter) for letter in re.sub(_MARKS, "", text.lower()))
    for pair, letter in _PAIRS.items():
        plain = plain.replace(letter, pair)
    pieces = re.findall("|".join(_PAIRS) + "|.", plain, re.DOTALL)
    return "".join(
        f"(?:{_any_of(piece)}|{_PAIRS[piece]})" if piece in _PAIRS else _any_of(piece) for piece in pieces
    )


def _any_of(letters: str) -> str:
    return "".join(
        f"[{letter}{_VARIANTS[letter]}]{_MARKS}*" if letter in _VARIANTS else re.escape(letter)
        for letter in letters
    )
