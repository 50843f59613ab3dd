"""A proof from its first user to its verdict: load, faults, drain, comparison."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from dataclasses import replace

import asyncpg
from pymongo.errors import PyMongoError

from tandem_lab.errors import LabError
from tandem_lab.meanwhile import meanwhile
from tandem_lab.proof.aggregate_commands import AggregateScript
from tandem_lab.proof.cells import check_equality, check_reads, reasons_of
from tandem_lab.proof.commands import Script, UserScript
from tandem_lab.proof.compare import compare
from tandem_lab.proof.faults import HELD_BACK_USERS, Faults, order_of
from tandem_lab.proof.host_faults import FaultsOfHosts, cannot_strike
from tandem_lab.proof.ledger import Ledger
from tandem_lab.proof.load import Load, Stalled
from tandem_lab.proof.plan import Fault, Plan
from tandem_lab.proof.progress import TELL_EVERY_SECONDS, Progress, Tell
from tandem_lab.proof.stack import System
from tandem_lab.proof.verdict import FaultReport, Verdict, is_proven

Strike = Callable[[Fault], Awaitable[FaultReport]]


async def prove(system: System, plan: Plan, tell: Tell) -> Verdict:
    """Carry out a proof.

    Raises:
        LabError: it cannot be carried out; says why.
    """
    began = time.monotonic()
    left_out = {} if system.hosts is None else await cannot_strike(system.hosts, plan.faults)
    plan = replace(plan, faults=[fault for fault in plan.faults if fault.name not in left_out])
    if await system.knows(plan.seed):
        msg = f"The run {plan.seed!r} has {system.things} already. Name a new one with --seed."
        raise LabError(msg)
    with closing(Ledger(plan.ledger)) as ledger:
        load = Load(system.url, plan, ledger, script_of(system, plan))
        progress = Progress(load, tell, f"pushing {system.things}", system.things)
        looking = progress.keep_looking(system, plan.seed)
        async with meanwhile(progress.keep_telling()), meanwhile(looking):
            # The same seed makes the same choices in every version of Python.
            dice = random.Random(plan.random_seed)  # noqa: S311 - it must be repeatable
            strike = _faults(system, load, dice, plan).strike
            async with load.running(plan.connections):
                faults = await push(plan, load, progress, order_of(plan.faults, dice), strike)
            progress.now(f"waiting for the last {system.things} to arrive in MongoDB")
            await _drain(system, plan)
            progress.now("comparing ledger, PostgreSQL and MongoDB")
            try:
                counts = await compare(system, plan.seed, plan.ledger)
                if system.hosts is not None:
                    progress.now("reading through the load balancer, and verifying each cell")
                    await check_reads(system.url, plan.ledger, counts)
                    await check_equality(system.cells, counts)
                reasons = await reasons_of(system, counts, faults, plan.ledger)
            except (OSError, TimeoutError, asyncpg.PostgresError, PyMongoError) as error:
                msg = f"The databases do not answer any more ({error}). The ledger is {plan.ledger}."
                raise LabError(msg) from None
    return Verdict(
        proven=is_proven(plan.users, counts, faults),
        users=plan.users,
        counts=counts,
        faults=faults,
        sent_again=dict(load.sent_again),
        seconds=round(time.monotonic() - began, 1),
        seed=plan.seed,
        random_seed=plan.random_seed,
        ledger=str(plan.ledger),
        mix=str(plan.mix),
        things=system.things,
        rejected=dict(load.rejected),
        cells=len(system.cells) if system.hosts else 0,
        reasons=reasons,
        left_out=[f"{name}: {why}." for name, why in left_out.items()],
    )


def script_of(system: System, plan: Plan) -> Script:
    """What a plan sends to this system.

    Raises:
        LabError: the aggregate says nothing of how to try it.
    """
    aggregate = system.aggregate
    if aggregate is None:
        return UserScript(plan.seed, plan.mix)
    if aggregate.trial is None:
        msg = f"The aggregate {aggregate.name!r} has no `trial`: without one nobody knows what to send."
        raise LabError(msg)
    return AggregateScript(aggregate, aggregate.trial, plan.seed, plan.mix)


def _faults(system: System, load: Load, dice: random.Random, plan: Plan) -> Faults:
    if system.hosts is None:
        return Faults(system, load, dice, plan.patience_seconds)
    return FaultsOfHosts(system, system.hosts, load, dice, plan.patience_seconds)


async def push(
    plan: Plan, load: Load, progress: Progress, order: Sequence[tuple[Fault, float]], strike: Strike
) -> list[FaultReport]:
    """Send all users, and let each fault of `order_of` happen while its share of them is on its way.

    Gives up when nothing is acknowledged any more. The verdict then shows what is missing.
    """
    things, reports = progress.things, []
    progress.expect([fault for fault, _ in order])
    try:
        for number, (fault, moment) in enumerate(order):
            share = load.left // (len(order) - number + 1)
            load.reserve(load.left - share)
            at_once = max(share - HELD_BACK_USERS, share // 2)
            load.allow(at_once)
            progress.now(f"pushing {things} until {fault}")
            await load.until(load.acknowledged + int(moment * at_once))
            reports.append(await progress.watch(fault, strike))
        progress.now(f"pushing {things}")
        load.reserve(0)
        load.allow(load.left)
        await load.until(plan.users)
    except Stalled:
        progress.now(f"none of the {things} was acknowledged for {plan.patience_seconds:g} s: giving up")
    return reports


async def _drain(system: System, plan: Plan) -> None:
    """Wait until no user of the run is pending, or until their number does not decrease any more."""
    least, since = None, time.monotonic()
    while (pending := await system.count(system.questions.pending_of_run, plan.seed)) != 0:
        if pending is not None and (least is None or pending < least):
            least, since = pending, time.monotonic()
        if time.monotonic() - since > plan.patience_seconds:
            return
        await asyncio.sleep(TELL_EVERY_SECONDS)
