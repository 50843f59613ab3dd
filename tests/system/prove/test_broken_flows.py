"""The proof must be able to fail: flows that are broken on purpose, each as a real instance."""

import json
import sys

import pytest

from command_line import run_tandem
from places import SUPPORT

USERS = 400

BROKEN_SERVE = SUPPORT / "broken_serve.py"


async def proof_of(system, served, folder):
    """The exit code and the verdict of a proof against this one instance."""
    code, output = await run_tandem(
        *("prove", "--url", str(served.client.base_url), "--users", str(USERS), "--json"),
        *("--postgres-url", system.urls.postgres_service_url),
        *("--mongodb-url", system.urls.mongodb_service_url),
        *("--ledger", str(folder / "ledger.jsonl")),
    )
    return code, json.loads(output[output.index("{\n") :])


def wrong(verdict):
    """Everything that a verdict counts as wrong."""
    kinds = ("lost", "doubled", "differing", "pending", "deadLetters")
    return {kind: verdict["counts"][kind] for kind in kinds if verdict["counts"][kind]}


async def test_a_flow_without_a_flaw_is_proved(system, serve, tmp_path):
    code, verdict = await proof_of(system, await serve(), tmp_path)
    assert (code, verdict["proven"], wrong(verdict)) == (0, True, {})
    for place in ("acknowledged", "inPostgres", "inMongodb", "synchronized"):
        assert verdict["counts"][place] == USERS
    assert len((tmp_path / "ledger.jsonl").read_text().splitlines()) == USERS


@pytest.mark.parametrize(
    ("flaw", "found"),
    [
        ("skips", {"lost": 1}),
        ("doubles", {"doubled": 4}),
        ("loses", {"differing": 4}),
        ("lies", {"lost": USERS}),
    ],
)
async def test_a_broken_flow_is_found_out(flaw, found, system, serve, tmp_path):
    """Skips every 300th user, doubles or loses something of every 100th, or lies about all of them."""
    served = await serve(wrapper=(sys.executable, str(BROKEN_SERVE), flaw))
    code, verdict = await proof_of(system, served, tmp_path)
    assert (code, verdict["proven"], wrong(verdict)) == (1, False, found)
    assert verdict["counts"]["synchronized"] == USERS
