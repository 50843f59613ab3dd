"""The proof must be able to fail: flows that are broken on purpose, each as a real instance."""

import json
import sys

import pytest

from command_line import run_tandem
from places import SUPPORT

USERS = 400

BROKEN_SERVE = SUPPORT / "broken_serve.py"


async def proof_of(system, served, folder, mix="create=100"):
    """The exit code and the verdict of a proof against this one instance."""
    code, output = await run_tandem(
        *("prove", "--url", str(served.client.base_url), "--users", str(USERS), "--mix", mix, "--json"),
        *("--postgres-url", system.urls.postgres_service_url),
        *("--mongodb-url", system.urls.mongodb_service_url),
        *("--ledger", str(folder / "ledger.jsonl")),
    )
    return code, json.loads(output[output.index("{\n") :])


def wrong(verdict):
    """Everything that a verdict counts as wrong."""
    counts = verdict["counts"]
    kinds = ("lost", "doubled", "differing", "resurrected", "unacknowledged", "pending", "deadLetters")
    return {kind: counts[kind] for kind in kinds if counts[kind]}


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


async def test_a_flow_without_a_flaw_keeps_every_version(system, serve, tmp_path):
    code, verdict = await proof_of(system, await serve(), tmp_path, "create=60,update=60,delete=10")
    assert (code, verdict["proven"], wrong(verdict)) == (0, True, {})
    counts, rejected = verdict["counts"], verdict["rejected"]
    ledger = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    sent = USERS + USERS * 60 // 60 + USERS * 10 // 60
    assert len(ledger) == sent - sum(rejected.values())
    assert set(rejected) == {"410", "412"}
    assert counts["inMongodb"] == USERS - counts["deleted"]
    kinds = [line.get("kind", "create") for line in ledger]
    assert counts["updated"] == kinds.count("update") > 0
    assert 0 < counts["deleted"] <= kinds.count("delete") + kinds.count("erase")
    assert max(line.get("version", 1) for line in ledger) > 5


@pytest.mark.parametrize(
    ("flaw", "mix", "found", "as_well"),
    [
        ("ignores-versions", "create=60,update=60", "differing", set()),
        ("ignores-tombstones", "create=60,update=60,delete=30", "resurrected", set()),
        # MongoDB was told what was lost, and keeps it: later versions with the same number are refused.
        ("loses-updates", "create=60,update=60", "lost", {"differing", "deadLetters"}),
    ],
)
async def test_a_flow_that_breaks_changes_is_found_out(flaw, mix, *, found, as_well, system, serve, tmp_path):
    served = await serve(wrapper=(sys.executable, str(BROKEN_SERVE), flaw))
    code, verdict = await proof_of(system, served, tmp_path, mix)
    assert (code, verdict["proven"], set(wrong(verdict)) - as_well) == (1, False, {found})
