"""Random choices that can be repeated: they depend on a key alone, not on the version of Python."""

import hashlib
import uuid
from collections.abc import Sequence
from string import ascii_uppercase
from typing import TypeVar

T = TypeVar("T")

# One user takes some 450 bits. `random.Random` does not promise the same choices in the next Python.
_BYTES = 128


class SeededRandom:
    """Choices that follow from `key`. There are 1,024 random bits; after these, every choice is the first."""

    def __init__(self, key: str) -> None:
        self._left = int.from_bytes(hashlib.shake_256(key.encode(errors="replace")).digest(_BYTES), "big")

    def below(self, sides: int) -> int:
        """A number from 0 to `sides - 1`."""
        self._left, side = divmod(self._left, sides)
        return side

    def pick(self, items: Sequence[T]) -> T:
        """One of `items`."""
        return items[self.below(len(items))]

    def fill(self, pattern: str) -> str:
        """The pattern with `#` as a digit, `%` as one from 1 to 9, `^` as a capital letter."""
        filled = []
        for character in pattern:
            if character == "#":
                filled.append(str(self.below(10)))
            elif character == "%":
                filled.append(str(1 + self.below(9)))
            elif character == "^":
                filled.append(self.pick(ascii_uppercase))
            else:
                filled.append(character)
        return "".join(filled)

    def uuid(self) -> uuid.UUID:
        """A UUID of version 4."""
        return uuid.UUID(int=self.below(2**128), version=4)
