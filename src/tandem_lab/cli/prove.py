"""`tandem prove`: shows on a running system that nothing acknowledged is lost and nothing happens twice."""

import asyncio
import re
import secrets
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console

from tandem.aggregates.installed import named
from tandem.cli.http import address_options, ask, base_url
from tandem_lab.bench.own_stack import HostOptions
from tandem_lab.cli.common import Parsed, database_urls, hosts_for, peer_options, run
from tandem_lab.cli.display import ProofDisplay
from tandem_lab.cli.prove_peers import prove_peers, refuse_for_peers
from tandem_lab.cli.verdict import table_of
from tandem_lab.peers.registry import peers_named
from tandem_lab.proof.peer_faults import PEER_FAULTS
from tandem_lab.proof.plan import ALL_KINDS, CREATIONS, FAULTS, HOST_FAULTS, Fault, Plan, Target, mix_of
from tandem_lab.proof.prove import prove as carry_out
from tandem_lab.proof.stack import Cell, System, system_of_hosts
from tandem_lab.proof.verdict import Verdict
from tandem_stack.status import Status, read_status

USERS_A_FAULT = 200  # with fewer, all could be sent before the fault is over
PATIENCE_SECONDS, PATIENCE_SECONDS_OF_PEERS = 120.0, 60.0
OF_PEERS = ("users", "faults", "connections", "random_seed", "patience_seconds", "ledger")
SERVERS = {Target.POSTGRES: "PostgreSQL", Target.MONGODB: "MongoDB"}
SEED = re.compile(r"[A-Za-z0-9._:-]{1,100}")


def faults_named(text: str, among: Mapping[str, Fault]) -> tuple[Fault, ...]:
    """The faults of these names, separated by commas, each once; `all`, or `none`.

    Raises:
        UsageError: there is no such fault; says which there are.
    """
    if text in {"all", "none"}:
        return tuple(among.values()) if text == "all" else ()
    names = tuple(dict.fromkeys(text.split(",")))
    for name in names:
        if name not in among:
            msg = f"{name!r} is no fault {'of hosts' if among is HOST_FAULTS else 'here'}."
            raise click.UsageError(f"{msg} There are: {', '.join(among)}; all; none.")
    return tuple(among[name] for name in names)


@click.command
@peer_options
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
    metavar="NAMES",
    help=f"What is to go wrong meanwhile: all, none, or any of {', '.join(FAULTS)}; with --hosts, of "
    f"{', '.join(HOST_FAULTS)}.  [default: none; all with --hosts]",
)
@click.option(
    "--hosts",
    is_flag=True,
    help="On several hosts: those of `tandem up --hosts` on the data folder, or else hosts of its own.",
)
@click.option(
    "--cells", type=click.IntRange(1, 16), help="How many cells hosts of its own are.  [default: 1]"
)
@click.option(
    "--hosts-per-cell",
    type=click.Choice(["1", "3"]),
    help="Database hosts of each of these.  [default: 3 for one cell, else 1]",
)
@click.option(
    "--asynchronous",
    is_flag=True,
    help="Hosts whose commits wait for no standby. This cannot be proved if a primary is lost.",
)
@click.option("--connections", type=click.IntRange(1, 1000), default=50, show_default=True, help="At a time.")
@click.option("--seed", help="The run's name; the same one gives the same users.  [default: a random one]")
@click.option(
    "--random-seed", type=int, help="Decides when each fault strikes, and whom.  [default: a random one]"
)
@click.option(
    "--ledger",
    type=click.Path(path_type=Path),
    help="Where to write down what was acknowledged, command by command; of peers, a folder for it.",
)
@click.option(
    "--patience",
    "patience_seconds",
    type=click.FloatRange(min=1),
    help="Seconds to wait where nothing goes on any more.  [default: 120; 60 for each peer]",
)
@click.option("--json", "as_json", is_flag=True, help="The verdict for programs.")
@click.option("--postgres-url", help="With --url: the PostgreSQL behind it.")
@click.option("--mongodb-url", help="With --url: the MongoDB behind it.")
@address_options
def prove(
    url: str | None, data_dir: Path, aggregate: str | None, *, hosts: bool, as_json: bool, **options: Any
) -> None:
    """Prove that what is acknowledged arrives in both databases, once, in order and unchanged.

    Creates users with idempotency keys, updates and deletes some of them from many connections at once, lets
    faults strike meanwhile, waits until all has arrived, and compares what was acknowledged with both
    databases, version by version. The exit code is 0 if it is proved, and 1 if not.

    With --peer or --peers, other systems are proved, each in turn, on databases of the lab's own: they create
    users.
    """
    if peers := peers_named(options.pop("peer"), options.pop("peers")):
        others = options | {"url": url, "aggregate": aggregate, "hosts": hosts}
        chosen = {name: others.pop(name) for name in OF_PEERS}
        refuse_for_peers(others)
        defaults = {"seed": None, "mix": CREATIONS, "ledger": chosen["ledger"] or Path("ledgers")}
        chosen["patience_seconds"] = chosen["patience_seconds"] or PATIENCE_SECONDS_OF_PEERS
        prove_peers(
            list(peers.values()), _plan(None, chosen | defaults, PEER_FAULTS), data_dir, as_json=as_json
        )
    postgres_url, mongodb_url = options.pop("postgres_url"), options.pop("mongodb_url")
    of_hosts = {name: options.pop(name) for name in HostOptions.__struct_fields__ if name in options}
    if not hosts and any(of_hosts.values()):
        raise click.UsageError("--cells, --hosts-per-cell and --asynchronous are for hosts: add --hosts.")
    if hosts and (url or aggregate):
        raise click.UsageError("--hosts proves users on a stack of its own: leave --url and --aggregate out.")
    among = HOST_FAULTS if hosts else FAULTS
    plan = _plan(data_dir if url is None else None, options, among)
    opened: AbstractAsyncContextManager[System]
    if hosts:
        opened = _on_hosts(data_dir, HostOptions(**of_hosts))
    else:
        if url is None:
            system = _running_stack(data_dir, plan.faults)
        else:
            system = _own_deployment(base_url(url, data_dir), postgres_url, mongodb_url, plan.faults)
        opened = nullcontext(replace(system, aggregate=named(aggregate) if aggregate else None))
    verdict = _proved(opened, plan)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(verdict), indent=2))
    else:
        with suppress(BrokenPipeError):
            Console().print(table_of(verdict))
    sys.exit(0 if verdict.proven else 1)


def _proved(opened: AbstractAsyncContextManager[System], plan: Plan) -> Verdict:
    """Carry out a proof, and show how it goes on."""
    display = ProofDisplay(Console(stderr=True), plan.users)
    display.say(
        f"The run is {plan.seed!r} (--seed), faults strike by --random-seed {plan.random_seed}.\n"
        f"The ledger is {plan.ledger}."
    )

    async def work() -> Verdict:
        async with opened as system:
            await asyncio.to_thread(ask, f"{system.url}/health/ready")
            return await carry_out(system, plan, display)

    if_interrupted = f"Interrupted. What was acknowledged until then is in {plan.ledger}."
    return run(work(), display, if_interrupted)


@asynccontextmanager
async def _on_hosts(data_dir: Path, options: HostOptions) -> AsyncIterator[System]:
    """The stack of hosts that runs on the data folder, or one of its own."""
    async with hosts_for(data_dir, options) as stack:
        yield system_of_hosts(stack.running, stack.data_dir)


def _plan(stack: Path | None, options: dict[str, Any], among: Mapping[str, Fault]) -> Plan:
    """The plan from the options, with random values where none were given; `stack` is a data folder.

    `among`: the faults that there are.
    """
    by_default = "all" if among is HOST_FAULTS else "none"
    options["faults"] = faults_named(options["faults"] or by_default, among)
    if options["users"] < USERS_A_FAULT * len(options["faults"]):
        msg = f"A fault needs {USERS_A_FAULT} users to strike at. Give more --users, or choose fewer faults."
        raise click.UsageError(msg)
    options["patience_seconds"] = options["patience_seconds"] or PATIENCE_SECONDS
    seed = options["seed"] or f"prove-{secrets.token_hex(4)}"
    if not SEED.fullmatch(seed):
        msg = "A --seed for a proof has 1 to 100 letters, digits and . _ : - because keys are made of it."
        raise click.UsageError(msg)
    random_seed = secrets.randbelow(2**32) if options["random_seed"] is None else options["random_seed"]
    mix = options["mix"] or (ALL_KINDS if len(options["faults"]) == len(among) else CREATIONS)
    # In a data folder that is still to be made, it would be somebody else's file.
    place = stack if stack and stack.exists() else Path()
    ledger = options["ledger"] or place / "ledgers" / f"{seed}.jsonl"
    chosen = {"mix": mix, "seed": seed, "random_seed": random_seed, "ledger": ledger.absolute()}
    return Plan(**options | chosen)


def _running_stack(data_dir: Path, faults: Sequence[Fault]) -> System:
    """The stack that runs on `data_dir`, if it has the processes that these faults need."""
    url = base_url(None, data_dir)
    status = read_status(data_dir) or Status()
    system = System(url, [Cell(*database_urls(status, data_dir))], data_dir)
    for fault in faults:
        title = SERVERS.get(fault.target)
        if title is not None and fault.target.value not in system.parts.pids():
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
    return System(url, [Cell(postgres_url, mongodb_url)])
