"""What `tandem prove` refuses, and says, before it sends anything."""

import asyncio
import sys
from asyncio.subprocess import PIPE, STDOUT

import pytest

from command_line import run_tandem
from tandem_lab.errors import LabError
from tandem_lab.proof.plan import CREATIONS, Plan
from tandem_lab.proof.prove import prove
from tandem_lab.proof.stack import Cell
from tandem_lab.proof.stack import System as SystemUnderProof
from terminal import OnTerminal
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
        (("--mix", "update=30"), 2, "create must be above 0"),
        (("--seed", "übung"), 2, "--seed"),
        (("--seed", "../elsewhere"), 2, "--seed"),
        (("--data-dir", "nowhere"), 1, "tandem up"),
        (("--hosts", "--fault", "kill-postgres"), 2, "no fault of hosts. There are: kill-host"),
        (("--cells", "3"), 2, "add --hosts"),
        (("--hosts", "--aggregate", "orders"), 2, "leave --url and --aggregate out"),
        (NOWHERE, 2, "--postgres-url and --mongodb-url"),
        ((*NOWHERE, *DATABASES, "--fault", "kill-mongodb"), 2, "tandem up"),
        ((*NOWHERE, *DATABASES), 1, "does not answer"),
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


async def test_databases_that_cannot_be_read_are_named_before_anything_is_sent(system, serve, tmp_path):
    served = await serve()
    arguments = ("--url", str(served.client.base_url), "--ledger", str(tmp_path / "ledger.jsonl"))
    real, nowhere = system.urls.postgres_service_url, DATABASES[3]
    for postgres_url, said in ((DATABASES[1], "PostgreSQL cannot be read"), (real, "MongoDB cannot be read")):
        databases = ("--postgres-url", postgres_url, "--mongodb-url", nowhere)
        code, output = await run_tandem("prove", *arguments, *databases)
        assert (code, "Traceback" in output) == (1, False)
        assert said in output
    assert await system.count("select count(*) from prm_user") == 0


async def test_a_system_that_refuses_the_users_ends_the_proof_and_says_why(system, serve, tmp_path):
    """A seed of 101 characters is one that the command line would not let through."""
    served = await serve()
    urls = system.urls.postgres_service_url, system.urls.mongodb_service_url
    plan = Plan(
        users=10,
        mix=CREATIONS,
        seed="s" * 101,
        random_seed=0,
        faults=(),
        connections=2,
        patience_seconds=60,
        ledger=tmp_path / "ledger.jsonl",
    )
    with pytest.raises(LabError, match=r"answered 400 .*seed"):
        await prove(SystemUnderProof(str(served.client.base_url), [Cell(*urls)]), plan, lambda *_: None)


async def test_without_its_extra_the_proof_says_what_to_install_and_other_commands_work(serve):
    served = await serve()
    without = "import sys; sys.modules['aiohttp'] = None; from tandem.cli import main; main()"
    url = ("--url", str(served.client.base_url))
    for arguments, code, said in (
        (("prove", *url, *DATABASES), 1, "needs aiohttp. Install it with the extra `lab`"),
        (("stats", *url), 0, "No users yet."),
        (("--help",), 0, "prove"),
    ):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", without, *arguments), stdout=PIPE, stderr=STDOUT
        )
        output, _ = await process.communicate()
        assert (process.returncode, "Traceback" in output.decode()) == (code, False)
        assert said in output.decode()


def test_on_a_terminal_a_proof_is_a_board_and_ends_with_a_receipt(stack, tmp_path):
    picture = tmp_path / "receipt.svg"
    # While one fault lasts, the other is to come, whichever is first.
    faults = ("--users", 400, "--fault", "kill-instance,kill-mongodb")
    options = ("--data-dir", stack.data_dir, *faults, "--receipt", picture)
    code, shown = OnTerminal("prove", *options, "--seed", "board").to_its_end()
    assert code == 0, shown
    assert shown.startswith(f"Watch it: {stack.url}/?seed=board\n")
    for said in ("to come", "since ", "in danger (pending)", "recovered after"):
        assert said in shown
    receipt = shown[shown.index("╭") :]
    for said in ("Proved", "400 users acknowledged", "400 in PostgreSQL, 400 in MongoDB", "exit code 0"):
        assert said in receipt
    assert "--seed board" in receipt
    assert "Proved" in picture.read_text()
