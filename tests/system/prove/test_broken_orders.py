"""The proof of an aggregate must be able to fail: flows of orders that are broken on purpose."""

import json
import sys

import pytest
from orders import ORDERS

from command_line import run_tandem
from installed import installed_orders
from places import SUPPORT
from systems import Servings, open_system

ORDERS_SENT = 300
FAILURES = ("lost", "doubled", "differing", "resurrected", "unacknowledged", "pending", "deadLetters")


@pytest.fixture
async def prove(databases, tmp_path):
    """Proves orders on one instance with this flaw, or without any: the verdict, and what is wrong."""
    environment = installed_orders(tmp_path / "installed")
    async with open_system(databases, [ORDERS]) as system:
        servings = Servings(system, tmp_path)

        async def proof_with(flaw=None):
            wrapper = (sys.executable, str(SUPPORT / "broken_serve.py"), f"order/{flaw}") if flaw else ()
            served = await servings(wrapper=wrapper, **environment)
            code, output = await run_tandem(
                *("prove", "--aggregate", "orders", "--url", str(served.client.base_url), "--json"),
                *("--users", str(ORDERS_SENT), "--mix", "create=60,update=60,delete=10"),
                *("--postgres-url", system.urls.postgres_service_url),
                *("--mongodb-url", system.urls.mongodb_service_url),
                *("--ledger", str(tmp_path / "ledger.jsonl")),
                **environment,
            )
            verdict = json.loads(output[output.index("{\n") :])
            assert (code, verdict["things"]) == (0 if verdict["proven"] else 1, "orders")
            return verdict, {kind for kind in FAILURES if verdict["counts"][kind]}

        yield proof_with
        await servings.close()


async def test_orders_without_a_flaw_are_proved(prove, tmp_path):
    verdict, wrong = await prove()
    assert (verdict["proven"], wrong) == (True, set())
    counts = verdict["counts"]
    for place in ("acknowledged", "inPostgres", "inMongodb", "synchronized"):
        assert counts[place] == ORDERS_SENT
    ledger = [json.loads(line) for line in (tmp_path / "ledger.jsonl").read_text().splitlines()]
    assert [line["command"] for line in ledger].count("PlaceOrder") == ORDERS_SENT
    assert len(ledger) == ORDERS_SENT + counts["updated"] > ORDERS_SENT


@pytest.mark.parametrize(
    ("flaw", "found", "as_well"),
    [
        ("lies", "lost", set()),
        ("doubles", "doubled", set()),
        ("ignores-versions", "differing", set()),
        ("forgets-reactions", "differing", set()),
        ("writes-other-rows", "differing", {"lost"}),
        # MongoDB was told what was lost, and keeps it.
        ("loses-changes", "lost", {"differing"}),
        ("commits-twice", "doubled", set()),
    ],
)
async def test_a_broken_flow_of_orders_is_found_out(flaw, found, as_well, prove):
    verdict, wrong = await prove(flaw)
    assert (verdict["proven"], wrong - as_well) == (False, {found})


async def test_a_system_that_has_no_orders_is_not_proved(system, serve, tmp_path):
    environment = installed_orders(tmp_path / "installed")
    served = await serve()
    urls = (
        "--postgres-url",
        system.urls.postgres_service_url,
        "--mongodb-url",
        system.urls.mongodb_service_url,
    )
    url = ("--url", str(served.client.base_url), "--ledger", str(tmp_path / "ledger.jsonl"))
    code, said = await run_tandem("prove", "--aggregate", "orders", *url, *urls, **environment)
    assert (code, "has no orders" in said) == (1, True)
