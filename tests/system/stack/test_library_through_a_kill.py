"""The second half of docs/kernel.md: its library, on a stack whose instances are killed."""

import os
import subprocess
import sys

from doc_pages import fences
from installed import installed
from page_files import files_of, write_files_of
from places import ROOT

PAGE = "kernel.md"


def test_the_library_of_the_page_survives_what_the_page_does_to_it(place, start_stack):
    project = place / "library"
    write_files_of(PAGE, project)
    environment = os.environ | installed(place / "installed", project, "books", "books:BOOKS")
    stack = start_stack(place / "data", "--instances", "3", env=environment)
    stack.until_it_says("Tandem is running")
    ran = subprocess.run(
        [sys.executable, project / "through_a_kill.py", stack.url, stack.data_dir],
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    shown = fences((ROOT / "docs" / PAGE).read_text())[-1]
    assert (ran.stdout, ran.stderr) == (shown.text, "")
    assert "through_a_kill.py" in files_of(PAGE)
