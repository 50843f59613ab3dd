"""`docs/judge-your-own.md`: its example is judged as the page says, from what is written there alone."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import pytest

from doc_pages import fences
from places import ROOT
from tandem_lab.proof.judge_peers import AS_TEXT, FIELDS

PAGE = (ROOT / "docs" / "judge-your-own.md").read_text()


@pytest.mark.slow
async def test_the_example_is_proved_by_the_command_of_the_page(new_place):
    folder = new_place()
    commands, service, adapter = fences(PAGE)
    assert len(service.text.splitlines() + adapter.text.splitlines()) <= 65
    (folder / "service.py").write_text(service.text)
    (folder / "adapter.py").write_text(adapter.text)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = await asyncio.create_subprocess_shell(
        commands.text.splitlines()[0], cwd=folder, env=os.environ | {"PATH": path}, stdout=PIPE, stderr=STDOUT
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()
    rows = [line.split() for line in said.decode().splitlines() if line.startswith("two_writes")]
    assert rows[0][:6] == ["two_writes", "600", "0", "0", "0", "0"]
    assert rows[0][-1] == "yes"
    assert len(rows[1]) == len(["two_writes", "kill-instance", "kill-postgres"])


def test_the_page_lists_every_field_that_is_compared():
    assert [field for field in FIELDS if f"`{field}`" not in PAGE] == []
    assert set(FIELDS) > AS_TEXT
