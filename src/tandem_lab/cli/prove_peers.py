"""`tandem prove --peers`: the same proof of other systems, side by side."""

import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.text import Text

from tandem.cli.tables import Column, FittedTable
from tandem_lab.bench.own_stack import own_stack
from tandem_lab.cli.board import ProofDisplay
from tandem_lab.cli.common import run
from tandem_lab.peers.protocol import Peer
from tandem_lab.proof.peers import PeersVerdict, PeerVerdict, Wrong
from tandem_lab.proof.plan import Plan
from tandem_lab.proof.prove_peers import PeerPlan
from tandem_lab.proof.prove_peers import prove_peers as carry_out


def refuse_for_peers(options: Mapping[str, Any]) -> None:
    """Refuse the options that do not go with peers.

    Raises:
        UsageError: one of them is given; says which.
    """
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value]
    if given:
        raise click.UsageError(f"Peers are proved on a stack of the lab's own: leave {', '.join(given)} out.")


def prove_peers(peers: Sequence[Peer], plan: Plan, data_dir: Path, *, as_json: bool) -> None:
    """Prove these peers, show the verdict, and end with exit code 0 only if all of them hold."""
    plan = PeerPlan(**vars(plan))
    display = ProofDisplay(Console(stderr=True), plan.users)
    display.say(f"Faults strike by --random-seed {plan.random_seed}. The ledgers are in {plan.ledger}.")

    async def work() -> PeersVerdict:
        async with own_stack(data_dir, 1) as stack:
            return await carry_out(peers, plan, stack, display)

    verdict = run(work(), display, f"Interrupted. What was acknowledged until then is in {plan.ledger}.")
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(verdict), indent=2))
    else:
        with suppress(BrokenPipeError):
            Console().print(table_of(verdict), soft_wrap=True)
    sys.exit(0 if verdict.holds else 1)


def table_of(verdict: PeersVerdict) -> RenderableType:
    """The verdict for people: a row for each peer, the same for faults, and what explains them."""
    table = FittedTable(
        Column("peer", fold_at=16, is_number=False),
        Column("acknowledged", spare=1),
        *(Column(wrong) for wrong in Wrong),
        Column("s until all", spare=2),
        Column("holds", is_number=False),
    )
    for peer in verdict.peers:
        counts = peer.counts
        table.add_row(
            peer.peer,
            _colored(f"{counts.acknowledged:,}", good=counts.acknowledged + counts.refused == peer.users),
            *(_colored(f"{getattr(counts, wrong):,}", good=not getattr(counts, wrong)) for wrong in Wrong),
            _seconds(peer.seconds_until_all),
            _colored("yes" if peer.holds else "no", good=peer.holds),
        )
    lines = [line for peer in verdict.peers for line in _lines(peer)]
    return Group(table, "", *_recoveries(verdict), *lines)


def _recoveries(verdict: PeersVerdict) -> list[RenderableType]:
    faults = list(dict.fromkeys(fault.fault for peer in verdict.peers for fault in peer.faults))
    if not faults:
        return []
    columns = (Column(fault, spare=number) for number, fault in enumerate(faults))
    table = FittedTable(Column("seconds to recover", fold_at=16, is_number=False), *columns)
    for peer in verdict.peers:
        seconds = {fault.fault: fault.seconds_to_recover for fault in peer.faults}
        table.add_row(
            peer.peer, *(_seconds(seconds[fault]) if fault in seconds else Text() for fault in faults)
        )
    return [table, ""]


def _lines(peer: PeerVerdict) -> list[str]:
    said = [f"[bold red]Broken off[/]: {escape(peer.broken_off)}"] if peer.broken_off else []
    said += [f"{kind}, for example: {escape(examples[0])}" for kind, examples in peer.counts.examples.items()]
    said += map(escape, peer.reasons)
    said += [f"[yellow]Not tried[/]: {escape(reason)}" for reason in peer.left_out]
    if peer.counts.refused:
        said.append(f"{peer.counts.refused:,} were refused when they were sent again. That is no failure.")
    return [f"[bold]{escape(peer.peer)}[/]: {line}" for line in said]


def _seconds(seconds: float | None) -> Text:
    return _colored("never" if seconds is None else f"{seconds:.1f}", good=seconds is not None)


def _colored(text: str, *, good: bool) -> Text:
    return Text(text, "green" if good else "bold red")
