"""What `tandem prove` refuses, and says, before it sends anything."""

import pytest

from systems import run_tandem
from up_process import Up

NOWHERE = ("--url", "http://127.0.0.1:1")
DATABASES = (
    "--postgres-url",
    "postgresql://nobody@127.0.0.1:1/x",
    "--mongodb-url",
    "mongodb://127.0.0.1:1",
)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--fault", "flood"), 2, "pause-mongodb"),
        (("--fault", "all", "--users", "100"), 2, "--users"),
        (("--seed", "übung"), 2, "--seed"),
        (("--data-dir", "nowhere"), 1, "tandem up"),
        (NOWHERE, 2, "--postgres-url and --mongodb-url"),
        ((*NOWHERE, *DATABASES, "--fault", "kill-mongodb"), 2, "tandem up"),
        ((*NOWHERE, *DATABASES, "--ledger", "ledger.jsonl"), 1, "PostgreSQL cannot be read"),
    ],
    ids=str,
)
async def test_what_cannot_be_done_is_refused_in_a_sentence(arguments, code, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exit_code, output = await run_tandem("prove", *arguments)
    assert (exit_code, "Traceback" in output) == (code, False)
    assert said in " ".join(output.split())


async def test_faults_never_strike_servers_that_up_did_not_start(databases, new_place):
    urls = ("--postgres-url", databases.postgres_owner_url, "--mongodb-url", databases.mongodb_owner_url)
    stack = Up(new_place() / "stack", *urls)
    try:
        stack.until_it_says("Tandem is running")
        for fault in ("kill-postgres", "pause-mongodb", "all"):
            code, said = await run_tandem("prove", "--data-dir", str(stack.data_dir), "--fault", fault)
            assert code == 2
            assert "your own" in said
        stack_options = ("--data-dir", str(stack.data_dir), "--users", "300", "--fault", "kill-instance")
        code, said = await run_tandem("prove", *stack_options)
        assert (code, "Proved" in said) == (0, True)
    finally:
        stack.end()


async def test_a_url_that_is_no_tandem_ends_the_proof_in_a_sentence(system, serve, tmp_path):
    served = await serve()
    code, said = await run_tandem(
        *("prove", "--url", f"{served.client.base_url}/nonsense", "--users", "10"),
        *("--postgres-url", system.urls.postgres_service_url),
        *("--mongodb-url", system.urls.mongodb_service_url),
        *("--ledger", str(tmp_path / "ledger.jsonl")),
    )
    assert (code, "Traceback" in said) == (1, False)
    assert "404" in said
