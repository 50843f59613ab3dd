"""`tandem prove`: shows on a running system that nothing acknowledged is lost and nothing happens twice."""

import re
import secrets
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console, Group, RenderableType
from rich.text import Text

from tandem.aggregates.installed import named
from tandem.cli.http import address_options, ask, base_url
from tandem.cli.tables import Column, FittedTable
from tandem_lab.cli.common import Parsed, database_urls, run
from tandem_lab.cli.display import ProofDisplay
from tandem_lab.proof.plan import ALL_KINDS, CREATIONS, FAULTS, Fault, Plan, Target, mix_of
from tandem_lab.proof.prove import prove as carry_out
from tandem_lab.proof.stack import System
from tandem_lab.proof.verdict import Failure, Verdict
from tandem_stack.status import Status, read_status

USERS_A_FAULT = 200  # with fewer, all could be sent before the fault is over
SERVERS = {Target.POSTGRES: "PostgreSQL", Target.MONGODB: "MongoDB"}
SEED = re.compile(r"[A-Za-z0-9._:-]{1,100}")


def faults_named(text: str) -> tuple[Fault, ...]:
    """The faults of these names, separated by commas, each once; `all`, or `none`.

    Raises:
        ValueError: there is no such fault; says which there are.
    """
    if text in {"all", "none"}:
        return tuple(FAULTS.values()) if text == "all" else ()
    names = tuple(dict.fromkeys(text.split(",")))
    for name in names:
        if name not in FAULTS:
            raise ValueError(f"{name!r} is no fault. There are: {', '.join(FAULTS)}; all; none.")
    return tuple(FAULTS[name] for name in names)


@click.command
@click.option("--aggregate", help="An installed aggregate to prove, such as orders.  [default: users]")
@click.option(
    "--users",
    type=click.IntRange(1, 10_000_000),
    default=20_000,
    show_default=True,
    help="How many are created, of an aggregate as well. Updates and deletions come on top.",
)
@click.option(
    "--mix",
    type=Parsed("shares", mix_of),
    help="How many commands of each kind are sent, in proportion to each other, such as "
    f"{ALL_KINDS}.  [default: this with --fault all, else create=100]",
)
@click.option(
    "--fault",
    "faults",
    type=Parsed("names", faults_named),
    default="none",
    show_default=True,
    help=f"What is to go wrong meanwhile: all, or any of {', '.join(FAULTS)}.",
)
@click.option("--connections", type=click.IntRange(1, 1000), default=50, show_default=True, help="At a time.")
@click.option("--seed", help="The run's name; the same one gives the same users.  [default: a random one]")
@click.option(
    "--random-seed", type=int, help="Decides when each fault strikes, and whom.  [default: a random one]"
)
@click.option(
    "--ledger",
    type=click.Path(path_type=Path),
    help="Where to write down what was acknowledged, command by command.",
)
@click.option(
    "--patience",
    "patience_seconds",
    type=click.FloatRange(min=1),
    default=120,
    show_default=True,
    help="Seconds to wait where nothing goes on any more.",
)
@click.option("--json", "as_json", is_flag=True, help="The verdict for programs.")
@click.option("--postgres-url", help="With --url: the PostgreSQL behind it.")
@click.option("--mongodb-url", help="With --url: the MongoDB behind it.")
@address_options
def prove(
    url: str | None,
    data_dir: Path,
    postgres_url: str | None,
    mongodb_url: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Prove that what is acknowledged arrives in both databases, once, in order and unchanged.

    Creates users with idempotency keys, updates and deletes some of them from many connections at once, lets
    faults strike meanwhile, waits until all has arrived, and compares what was acknowledged with both
    databases, version by version. The exit code is 0 if it is proved, and 1 if not.
    """
    aggregate = options.pop("aggregate")
    plan = _plan(data_dir if url is None else None, options)
    if url is None:
        system = _running_stack(data_dir, plan.faults)
    else:
        system = _own_deployment(base_url(url, data_dir), postgres_url, mongodb_url, plan.faults)
    system = replace(system, aggregate=named(aggregate) if aggregate else None)
    ask(f"{system.url}/health/ready")
    display = ProofDisplay(Console(stderr=True), plan.users)
    display.say(
        f"The run is {plan.seed!r} (--seed), faults strike by --random-seed {plan.random_seed}.\n"
        f"The ledger is {plan.ledger}."
    )
    if_interrupted = f"Interrupted. What was acknowledged until then is in {plan.ledger}."
    verdict = run(carry_out(system, plan, display), display, if_interrupted)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(verdict), indent=2))
    else:
        with suppress(BrokenPipeError):
            Console().print(table_of(verdict))
    sys.exit(0 if verdict.proven else 1)


def _plan(stack: Path | None, options: dict[str, Any]) -> Plan:
    """The plan from the options, with random values where none were given; `stack` is a data folder."""
    if options["users"] < USERS_A_FAULT * len(options["faults"]):
        msg = f"A fault needs {USERS_A_FAULT} users to strike at. Give more --users, or choose fewer faults."
        raise click.UsageError(msg)
    seed = options["seed"] or f"prove-{secrets.token_hex(4)}"
    if not SEED.fullmatch(seed):
        msg = "A --seed for a proof has 1 to 100 letters, digits and . _ : - because keys are made of it."
        raise click.UsageError(msg)
    random_seed = secrets.randbelow(2**32) if options["random_seed"] is None else options["random_seed"]
    mix = options["mix"] or (ALL_KINDS if len(options["faults"]) == len(FAULTS) else CREATIONS)
    ledger = options["ledger"] or (stack / "ledgers" if stack else Path()) / f"{seed}.jsonl"
    chosen = {"mix": mix, "seed": seed, "random_seed": random_seed, "ledger": ledger.absolute()}
    return Plan(**options | chosen)


def _running_stack(data_dir: Path, faults: Sequence[Fault]) -> System:
    """The stack that runs on `data_dir`, if it has the processes that these faults need."""
    url = base_url(None, data_dir)
    status = read_status(data_dir) or Status()
    system = System(url, *database_urls(status, data_dir), data_dir)
    for fault in faults:
        title = SERVERS.get(fault.target)
        if title is not None and fault.target.value not in system.pids():
            msg = f"{fault} needs a {title} that `tandem up` has started, and this one is down or your own."
            raise click.UsageError(msg)
    return system


def _own_deployment(
    url: str, postgres_url: str | None, mongodb_url: str | None, faults: Sequence[Fault]
) -> System:
    """A deployment that `tandem up` has not started. Its processes are left alone."""
    if postgres_url is None or mongodb_url is None:
        msg = "With --url, name the databases behind it too: --postgres-url and --mongodb-url."
        raise click.UsageError(msg)
    if faults:
        msg = "Faults strike only what `tandem up` has started. Leave --url out, or choose --fault none."
        raise click.UsageError(msg)
    return System(url, postgres_url, mongodb_url)


def table_of(verdict: Verdict) -> RenderableType:
    """The verdict for people."""
    return Group(_counts(verdict), "", *_faults(verdict), *_examples(verdict), _sentence(verdict))


def _counts(verdict: Verdict) -> FittedTable:
    counts = verdict.counts
    table = FittedTable(Column("", is_number=False), Column("number"))
    for name, number in (
        ("updates acknowledged", counts.updated),
        (f"{verdict.things} deleted", counts.deleted),
        ("commands rejected", sum(verdict.rejected.values())),
    ):
        table.add_row(name, f"{number:,}")
    for name, number, wanted in (
        (f"{verdict.things} created", counts.acknowledged, verdict.users),
        ("in PostgreSQL", counts.in_postgres, verdict.users),
        ("in MongoDB", counts.in_mongodb, verdict.users - counts.deleted),
        ("SYNCRONIZED", counts.synchronized, verdict.users),
        *((failure.replace("_", " "), getattr(counts, failure), 0) for failure in Failure),
    ):
        table.add_row(name, _colored(f"{number:,}", good=number == wanted))
    return table


def _faults(verdict: Verdict) -> list[RenderableType]:
    if not verdict.faults:
        return []
    table = FittedTable(
        Column("fault", fold_at=16, is_number=False),
        Column("struck", spare=2, fold_at=12, is_number=False),
        Column(f"after {verdict.things}", spare=1),
        Column("seen", is_number=False),
        Column("s to recover"),
    )
    for fault in verdict.faults:
        seconds = fault.seconds_to_recover
        table.add_row(
            fault.fault,
            ", ".join(fault.targets),
            f"{fault.after_users:,}",
            _colored("yes" if fault.seen else "no", good=fault.seen),
            _colored("never" if seconds is None else f"{seconds:.1f}", good=seconds is not None),
        )
    return [table, ""]


def _examples(verdict: Verdict) -> list[str]:
    return [
        f"{kind.replace('_', ' ')}, for example: {', '.join(map(str, ids))}"
        for kind, ids in verdict.counts.examples.items()
    ]


def _sentence(verdict: Verdict) -> str:
    causes = ", ".join(f"{cause} {times:,} times" for cause, times in verdict.sent_again.items())
    run = f"{verdict.users:,} {verdict.things} in {verdict.seconds:.0f} s; sent again: {causes or 'none'}."
    if verdict.proven:
        return f"[bold green]Proved[/]: {run}"
    return f"[bold red]Not proved[/]: {run} The ledger is {verdict.ledger}."


def _colored(text: str, *, good: bool) -> Text:
    return Text(text, "green" if good else "bold red")
