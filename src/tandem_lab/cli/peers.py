"""What `tandem bench` does with --peer and --peers: other systems, side by side."""

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlsplit

import click
import msgspec
from msgspec.structs import replace

from tandem.cli.tables import Column, FittedTable
from tandem_lab.bench.load_kinds import BROWSER_CONNECTIONS, Kind
from tandem_lab.bench.own_stack import OwnStack, own_stack
from tandem_lab.bench.peers import MANY_CONNECTIONS, QUICK, PeersPlan
from tandem_lab.bench.peers import bench_peers as run_bench
from tandem_lab.bench.results import Measurement, PeerFacts, Report, rate_of
from tandem_lab.bench.steps import Tell
from tandem_lab.cli.common import (
    database_urls,
    finish,
    measure,
    notice,
    only_options,
    peer_options,
    with_choices,
)
from tandem_lab.delay import SERVERS, delaying
from tandem_lab.errors import LabError
from tandem_lab.peers.protocol import Peer
from tandem_lab.peers.registry import peers_named
from tandem_lab.proof.peers import PeersVerdict

APPLY = {"peer", "peers", "verdicts", "delays", "quick", "seconds", "rounds", "data_dir", "json_file"}
COLUMNS = (
    Column("peer", is_number=False),
    Column("users/s"),
    Column("lag p50"),
    Column("lag p99"),
    *(
        Column(f"{percentile} at {connections}", spare=spare)
        for connections in (BROWSER_CONNECTIONS, MANY_CONNECTIONS)
        for percentile, spare in (("p50", 5), ("p99", 4))
    ),
    Column("its us", spare=3),
    Column("PG us", spare=3),
    Column("Mongo us", spare=3),
    Column("MiB", spare=2),
    Column("lines", spare=1),
)


def or_peers(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options `--peer` and `--peers`. With one of them peers are measured instead."""
    verdicts = click.option(
        "--verdicts",
        type=click.Path(path_type=Path),
        help="Of --peers: show on the page what `tandem prove --peers ... --json` printed into this file.",
    )

    @functools.wraps(command)
    def called(*, peer: tuple[str, ...], peers: str | None, verdicts: Path | None, **options: Any) -> None:
        if peer or peers:
            only_options(APPLY, "--peer or --peers")
            bench_peers(peers_named(peer, peers), verdicts, options)
        elif verdicts is not None:
            raise click.UsageError("--verdicts needs --peer or --peers.")
        else:
            command(**options)

    return peer_options(verdicts(called))


def bench_peers(peers: Mapping[str, Peer], verdicts: Path | None, options: Mapping[str, Any]) -> None:
    """Measure these peers in turn, write the report and show its table. The page shows the verdicts, too.

    Raises:
        LabError: none could be measured, or the file has no verdicts.
    """
    proof = read_verdicts(verdicts) if verdicts else None
    given = {name: options[name] for name in ("seconds", "rounds")}
    plan = with_choices(QUICK if options["quick"] else PeersPlan(), given)

    async def work(tell: Tell) -> Report:
        notice("Starting a stack for this measurement.")
        async with own_stack(options["data_dir"], 1) as stack, ways_to(stack, options["delays"]) as ways:
            return await run_bench(stack, peers, replace(plan, ways=ways), tell)

    report = measure(work)
    finish(report, table_of(report), options["json_file"], (), proof)


def read_verdicts(path: Path) -> PeersVerdict:
    """What `tandem prove --peers ... --json` printed into this file.

    Raises:
        LabError: it cannot be read, or is something else.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=PeersVerdict)
    except OSError as error:
        msg = f"{path} cannot be read: {error.strerror}."
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        msg = f"{path} is not what `tandem prove --peers ... --json` prints: {error}."
    raise LabError(msg)


def ways_to(stack: OwnStack, delays: Mapping[str, float]) -> AbstractAsyncContextManager[dict[int, int]]:
    """Relays to the databases of a stack that take so many seconds, by the server's name."""
    urls = dict(zip(SERVERS, database_urls(stack.running, stack.data_dir), strict=True))
    return delaying({urlsplit(urls[name]).port or 0: seconds for name, seconds in delays.items()})


def table_of(report: Report) -> FittedTable:
    """A line for each peer: medians of its rounds. Lag is at half of its saturation, CPU and memory at it."""
    table = FittedTable(*COLUMNS, elsewhere="A wider window shows more, the report all.")
    for peer in report.peers:
        table.add_row(*_row(peer, [each for each in report.measurements if each.peer == peer.name]))
    return table


def _row(peer: PeerFacts, measured: Sequence[Measurement]) -> list[str]:
    half = [each for each in measured if each.kind is Kind.OPEN]
    closed = [each for each in measured if each.kind is Kind.CLOSED]
    few = [each for each in closed if each.connections == BROWSER_CONNECTIONS]
    many = [each for each in closed if each.connections != BROWSER_CONNECTIONS]

    def ms(of: str, percentile: str, some: Sequence[Measurement]) -> str:
        return _median([getattr(getattr(each, of), percentile, None) for each in some], ",.1f")

    return [
        peer.name,
        _median([rate_of(each) for each in many]),
        *(ms("lag_ms", each, half) for each in ("p50", "p99")),
        *(ms("post_ms", each, some) for some in (few, many) for each in ("p50", "p99")),
        *(
            _median([each.cpu_us_per_user.get(part) for each in many])
            for part in ("instances", "postgres", "mongodb")
        ),
        _median([each.memory_mib.get("instances") for each in many]),
        f"{peer.lines:,}" if peer.lines else "",
    ]


def _median(values: Sequence[float | None], form: str = ",.0f") -> str:
    known = [value for value in values if value is not None]
    return format(median(known), form) if known else ""
