"""Filling by copies, and what a user costs in large tables."""

import subprocess
import sys

import asyncpg
import pytest

from command_line import finished
from tandem_lab.bench.multiply import ORIGINALS, multiply
from tandem_lab.bench.own_stack import address_of


@pytest.mark.slow
async def test_copies_are_what_the_flow_would_have_made(stack, probe):
    before = await probe.users()
    await multiply(probe, address_of(probe.running), 3 * ORIGINALS)
    assert await probe.users() == before + 3 * ORIGINALS
    ended = finished("verify", "--data-dir", stack.data_dir)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    connection = await asyncpg.connect(probe.running.postgres.url)
    rows = await connection.fetchrow(
        "select count(*), count(distinct email), min(created), max(synchronized) "
        "from (select *, rows->>'email' as email from lab_user where seed = 'lab-copies' "
        "order by id desc limit 100) few"
    )
    await connection.close()
    assert tuple(rows) == (100, 100, 1, 1)


@pytest.mark.slow
def test_few_and_many_are_measured_in_turn(new_place):
    options = ("--users", "40000", "--beside", "20000", "--rounds", "1", "--seconds", "1", "--at-most", "0")
    ended = subprocess.run(
        [sys.executable, "-m", "tandem_lab.bench.grown", *options, "--place", new_place() / "grown"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "All servers, CPU of a user:" in ended.stdout
    assert "WT read" in ended.stdout
