"""How an answer over several cells says which of them it leaves out."""

from collections.abc import Sequence

from tandem.http.requests import Headers

#: For a route's documentation.
SILENT_CELLS = {"Silent-Cells": "The cells that did not answer in time, and are left out, like `3,5`."}


def silence(numbers: Sequence[int]) -> Headers:
    """The header that names them; nothing where all have answered."""
    return (("Silent-Cells", ",".join(map(str, numbers))),) if numbers else ()
