"""What `tandem bench` does with --slo, --mix, --soak: rates that hold limits, and what grows over hours."""

import functools
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from tandem.cli.tables import Column, FittedTable
from tandem_lab.bench.environment import environment_of
from tandem_lab.bench.mix import Mix, parse_mix
from tandem_lab.bench.offers import of_peer, of_service
from tandem_lab.bench.own_stack import address_of, own_stack
from tandem_lab.bench.probe import Probe
from tandem_lab.bench.slo import LimitsReport, Subject, Task, measure_subject, parse_slo, rounded
from tandem_lab.bench.soak import SoakPlan, SoakReport, answer, growth_of, parse_duration, soak, verdict
from tandem_lab.bench.steps import Tell
from tandem_lab.cli.common import Parsed, measure, only_options, stack_for, write_files
from tandem_lab.cli.peers import ways_to
from tandem_lab.delay import parse_delays
from tandem_lab.peers.protocol import Peer
from tandem_lab.peers.registry import peers_named
from tandem_lab.report.analysis import GENERATOR_BUSY, OTHERS_BUSY
from tandem_lab.report.format import number
from tandem_lab.report.limits import limits_page, slo_header, slo_rows, soak_page

#: What applies to all of these, to our own service, and to each kind of measurement.
ALWAYS = {"delays", "seconds", "connections", "data_dir", "json_file"}
OWN = ALWAYS | {"rates", "instances", "url"}
OF_LIMITS, OF_PEERS, OF_SOAK = OWN | {"slo", "mix", "zipf"}, ALWAYS | {"slo", "peer", "peers"}, OWN | {"soak"}


def or_limits(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command `--slo`, `--mix`, `--zipf`, `--soak` and `--delay`; the last one is handed on to it."""
    options = (
        click.option(
            "--slo",
            type=Parsed("limits", parse_slo),
            help="Search instead for the highest rate that holds limits, such as "
            "'lag_p99<50ms, post_p99<25ms'; a name that is none lists all.",
        ),
        click.option(
            "--mix",
            type=Parsed("shares", parse_mix),
            help="With --slo or --rate: a load of several kinds at once, as create=60,update=20,read=20.",
        ),
        click.option(
            "--zipf",
            type=click.FloatRange(0, 4),
            help="With --mix: the k-th user has a share of k to the power of minus this.  [default: 0]",
        ),
        click.option(
            "--soak",
            type=Parsed("duration", parse_duration),
            help="Put one load after another on it for so long, such as 90m or 1h, and say what grows. "
            "Each lasts --seconds, or a minute, at --rate, or half of the saturation.",
        ),
        click.option(
            "--delay",
            "delays",
            type=Parsed("delays", parse_delays),
            help="How much later databases answer, such as postgres=2ms,mongodb=5ms, as if far away.",
        ),
    )

    @functools.wraps(command)
    def called(*, slo: Any, mix: Any, zipf: float | None, soak: float | None, **options: Any) -> None:
        options["delays"] = options["delays"] or {}
        if soak:
            only_options(OF_SOAK, "--soak")
            _show_soak(measure(functools.partial(_soak, soak, options)), options["json_file"])
        elif slo or mix:
            _limits(_task(slo or (), Mix(mix or {"create": 1.0}, zipf or 0.0), options), options)
        elif zipf is not None:
            raise click.UsageError("--zipf spreads the updates and reads of a --mix: give that, too.")
        else:
            command(**options)

    return functools.reduce(lambda wrapped, option: option(wrapped), reversed(options), called)


def _task(bounds: Any, mix: Mix, options: Mapping[str, Any]) -> Task:
    """What is asked for.

    Raises:
        UsageError: it cannot be done.
    """
    if options["peer"] or options["peers"]:
        only_options(OF_PEERS, "--slo and --peer: adapters only create users")
    only_options(OF_LIMITS | OF_PEERS, "--slo or --mix")
    if bool(bounds) == bool(options["rates"]):
        raise click.UsageError("Either --slo searches for a rate, or --rate gives some to a --mix.")
    answers = {"update": "update", "read": "read"}
    for bound in bounds:
        kind = answers.get(bound.name.partition("_")[0])
        if kind and kind not in mix.shares:
            raise click.UsageError(
                f"{bound.text} needs a --mix with {kind}=..., or there is nothing to measure."
            )
    chosen = {"seconds": options["seconds"], "connections": max(options["connections"] or (0,))}
    given = {name: value for name, value in chosen.items() if value}
    return Task(bounds=bounds, rates=options["rates"] or (), mix=mix, **given)


def _limits(task: Task, options: Mapping[str, Any]) -> None:
    """Carry out a task, show the steps and the answers, and write the report; exit 1 if nothing holds."""
    report = measure(functools.partial(_limits_report, task, options))
    console = Console()
    for subject in report.subjects:
        spare = {"seconds": 3, "post p50": 2, "update p50": 2, "read p50": 2, "lag p50": 2, "errors": 1}
        due, *others, missed = slo_header(subject)
        columns = [Column(due), *(Column(name, spare=spare.get(name, 1)) for name in others)]
        table = FittedTable(*columns, Column(missed, fold_at=24, is_number=False))
        for row in slo_rows(subject):
            table.add_row(*row)
        console.print(f"[bold]{escape(subject.name)}[/], times in ms", table, subject.answer, sep="\n")
    busy = [step.observed for subject in report.subjects for step in subject.steps]
    _warn(max(each.others_busy for each in busy), max(each.generator_busy for each in busy))
    click.echo(write_files(report, limits_page(report), options["json_file"]))
    sys.exit(any(task.bounds and subject.rate is None for subject in report.subjects))


async def _limits_report(task: Task, options: Mapping[str, Any], tell: Tell) -> LimitsReport:
    begun_at = datetime.now(UTC).isoformat(timespec="seconds")
    peers = peers_named(options["peer"], options["peers"])
    data_dir, delays = options["data_dir"], options["delays"]
    stacked = own_stack(data_dir, 1) if peers else stack_for(data_dir, options["instances"], delays)
    async with stacked as stack, Probe.open(stack.running) as probe:
        environment = await environment_of(probe, stack.data_dir)
        if peers:
            async with ways_to(stack, delays) as ways:
                subjects = [await _of_peer(each, probe, task, ways, tell) for each in peers.items()]
        else:
            offer, saturation = await of_service(probe, options["url"] or address_of(stack.running), task)
            subjects = [await measure_subject("tandem", offer, saturation, task, tell)]
    return LimitsReport(
        begun_at=begun_at,
        command=sys.argv,
        environment=environment,
        bounds=task.bounds,
        mix=task.mix,
        delays=delays,
        subjects=subjects,
    )


async def _of_peer(
    named: tuple[str, Peer], probe: Probe, task: Task, ways: Mapping[int, int], tell: Tell
) -> Subject:
    async with of_peer(*named, probe, task, ways) as (offer, saturation):
        return await measure_subject(named[1].about.name, offer, saturation, task, tell)


async def _soak(seconds: float, options: Mapping[str, Any], tell: Tell) -> SoakReport:
    """Carry out a soak, at the given rate or at half of the saturation."""
    begun_at = datetime.now(UTC).isoformat(timespec="seconds")
    stacked = stack_for(options["data_dir"], options["instances"], options["delays"])
    async with stacked as stack, Probe.open(stack.running) as probe:
        environment = await environment_of(probe, stack.data_dir)
        url = options["url"] or address_of(stack.running)
        task = Task(connections=max(options["connections"] or (Task().connections,)))
        rates = options["rates"] or (rounded((await of_service(probe, url, task))[1] / 2),)
        plan = SoakPlan(seconds, max(1.0, rates[0]), task.connections, options["seconds"] or 60.0)
        windows = await soak(probe, url, plan, tell)
    growth = growth_of(windows)
    return SoakReport(
        begun_at=begun_at,
        command=sys.argv,
        environment=environment,
        plan=plan,
        delays=options["delays"],
        windows=windows,
        growth=growth,
        answer=answer(windows, growth, plan),
    )


def _show_soak(report: SoakReport, json_file: Path | None) -> None:
    """What a soak shows, figure by figure, and its report."""
    console, windows = Console(), report.windows
    texts = [Column(name, fold_at=26, is_number=False) for name in ("figure", "in words")]
    table = FittedTable(texts[0], Column("median"), texts[1])
    for each in report.growth:
        group, _, name = each.what.partition(": ")
        table.add_row(
            each.what, number(median(w.figures[group].get(name, 0.0) for w in windows)), verdict(each)
        )
    console.print(table, escape(report.answer), sep="\n")
    click.echo(write_files(report, soak_page(report) if windows else "", json_file))


def _warn(others_busy: float, generator_busy: float) -> None:
    if others_busy > OTHERS_BUSY:
        click.echo(f"Mind: other programs kept up to {others_busy:.2f} cores busy: rates are too low.")
    if generator_busy > GENERATOR_BUSY:
        click.echo(f"Mind: the load generator used {generator_busy:.0%} of its core: that was measured, too.")
