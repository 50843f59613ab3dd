"""What an author gets wrong is said in a sentence by `tandem migrate`, before anything runs."""

import asyncio
import os
import subprocess
from uuid import uuid4

import pytest

from command_line import TANDEM
from installed import installed
from page_files import write_files_of

PAGE = "your-own-aggregate.md"
SQL, TABLES = "accounts/account.sql", "accounts/migrations/001_accounts.sql"
CODE, DOMAIN = "accounts/__init__.py", "accounts/account.py"

#: A file, what is wrong in it instead of what, and what is said.
MISTAKES = {
    "a column that is not there": (
        *(SQL, "= excluded.cents", "= excluded.cent"),
        "The query `write` of account.sql cannot be used: column excluded.cent does not exist. "
        "It belongs to accounts.",
    ),
    "no query that writes": (
        SQL,
        "name: write",
        "name: wrote",
        "account.sql of accounts has no query `write`",
    ),
    "no view": (TABLES, "account_state", "account_stat", 'relation "prm_account_state" does not exist'),
    "SQL that is none": (TABLES, "CREATE TABLE", "CREATE TABEL", 'syntax error at or near "TABEL"'),
    "nothing on being additive": (
        TABLES,
        "-- additive: yes\n",
        "",
        "has to begin with `-- additive: yes` or",
    ),
    "an integer without bounds": (DOMAIN, "ge=1, le=1_000_000_000", "ge=1", "takes integers of any size"),
    "a module that is not there": (
        CODE,
        "from accounts import",
        "from nowhere import",
        "No module named 'nowhere'",
    ),
    "a kind that is not there": (
        CODE,
        'kind="account", on',
        'kind="acount", on',
        "'acount', which is not installed",
    ),
    "an event that is not there": (
        *(CODE, 'on=["MoneySent"]', 'on=["MoneySend"]'),
        "follows 'MoneySend' of 'account', which has only: AccountOpened, MoneyReceived, MoneyReturned, ",
    ),
    "a reaction that no trigger can be named by": (
        *(CODE, 'name="deliver"', """name='de"liver'"""),
        "'de\"liver' cannot name what follows: take up to 30 lower-case letters, _ and -.",
    ),
    "a name of the flow's own": (CODE, 'name="account",', 'name="user",', "'user' is no name"),
}


async def migrated(databases, folder) -> subprocess.CompletedProcess[str]:
    environment = os.environ | installed(
        folder / f"installed-{uuid4()}", folder, "accounts", "accounts:ACCOUNTS"
    )
    urls = {
        "POSTGRES_URL": databases.postgres_owner_url,
        "MONGODB_URL": databases.mongodb_owner_url,
        "APP_ID": "migrate",
    }
    return await asyncio.to_thread(
        subprocess.run,
        [*TANDEM, "migrate"],
        env=environment | urls,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("mistake", MISTAKES)
async def test_a_mistake_is_one_sentence(databases, tmp_path, mistake):
    path, right, wrong, said = MISTAKES[mistake]
    write_files_of(PAGE, tmp_path)
    file = tmp_path / path
    assert right in file.read_text()
    file.write_text(file.read_text().replace(right, wrong))
    ran = await migrated(databases, tmp_path)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.startswith("Error: ")
    assert len(ran.stderr.strip().splitlines()) == 1
    assert said in ran.stderr


async def test_without_a_mistake_all_is_applied_once(databases, tmp_path):
    write_files_of(PAGE, tmp_path)
    first = await migrated(databases, tmp_path)
    assert "account: 001_accounts.sql, reaction account/deliver." in first.stdout, first.stderr
    assert first.stderr == ""
    second = await migrated(databases, tmp_path)
    assert second.stdout == "Both databases are up to date.\n"
