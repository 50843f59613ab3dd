"""The bank accounts of docs/your-own-aggregate.md as a package to import."""

import atexit
import importlib
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from page_files import write_files_of

PAGE = "your-own-aggregate.md"


@cache
def accounts() -> Any:
    """The package `accounts`, which this process keeps from then on."""
    folder = Path(tempfile.mkdtemp(prefix="tandem-bank-"))
    atexit.register(shutil.rmtree, folder)
    write_files_of(PAGE, folder)
    sys.path.insert(0, str(folder))
    return importlib.import_module("accounts")
