"""Requests that nobody would think of, made from the OpenAPI document by schemathesis."""

import asyncio
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
OPTIONS = [
    "--seed=1",
    "--max-examples=40",
    "--no-color",
    # It cannot read the schema of an array within an array.
    "--exclude-path=/api/v1/stats/described",
    # What a cursor or a key may be is said in words.
    # A deleted user keeps its history: .../events goes on.
    "--exclude-checks=positive_data_acceptance,use_after_free",
]


async def run_schemathesis(url, folder, *options):
    """Its exit code, and all that it said."""
    process = await asyncio.create_subprocess_exec(
        SCHEMATHESIS,
        "run",
        f"{url}/api-json",
        *OPTIONS,
        *options,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_every_answer_to_made_up_requests_is_one_that_the_document_has(serve, tmp_path):
    served = await serve("fuzzed")
    exit_code, said = await run_schemathesis(served.client.base_url, tmp_path, "--max-time=40")
    assert exit_code == 0, said
    assert "Traceback" not in served.log.read_text()


async def test_a_locked_instance_answers_what_its_document_says_and_wants_its_token(
    serve, key_pair, tmp_path
):
    served = await serve("fuzzed", TOKEN_KEYS_FILE=str(key_pair.public))
    header = f"--header=Authorization:Bearer {await key_pair.token('command', 'query', 'feed', 'operator')}"
    # An endless stream is looked at again and again, with and without the token, for seconds each.
    options = ("--phases=examples,coverage", "--exclude-path=/api/v1/live", header)
    exit_code, said = await run_schemathesis(served.client.base_url, tmp_path, *options)
    assert exit_code == 0, said
    assert "Traceback" not in served.log.read_text()
