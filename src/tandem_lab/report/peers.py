"""The report of systems side by side: the answer, one table, what was lost, and what each of them is."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import msgspec

from tandem_lab.bench.load_kinds import Kind
from tandem_lab.bench.results import Measurement, PeerFacts, rate_of
from tandem_lab.proof.peers import PeersVerdict, PeerVerdict, Wrong
from tandem_lab.report.format import number
from tandem_lab.report.markup import Content, element, explained, table
from tandem_lab.report.metrics import servers_cpu
from tandem_lab.report.runs import Latency, Loads, Runs
from tandem_lab.statistics import Spread, median_with_spread

OURS = "tandem"
#: Lags are seen from outside, every 10 ms, and so less sharply than answers.
BLUR_MS: Mapping[Latency, float] = {"lag_ms": 10.0, "post_ms": 0.0}
WORDS = {
    Wrong.LOST: "lost users",
    Wrong.DOUBLED: "doubled some",
    Wrong.DIFFERING: "changed some",
    Wrong.LATE: "brought some late",
}


class Peer(msgspec.Struct, frozen=True):
    """A system and its loads: over the most connections, over the fewest, and at half of its own rate."""

    facts: PeerFacts
    loads: Sequence[Runs]
    most: Runs | None
    fewest: Runs | None
    half: Runs | None


class Column(msgspec.Struct, frozen=True):
    """A number of each system: its name, its unit, what it is, and how it is found.

    Medians that are no more than `blur` apart count as equal, and nothing below it is known exactly.
    """

    name: str
    unit: str
    what: str
    of: Callable[[Peer], Spread | None]
    more_is_better: bool = False
    blur: float = 0.0

    def text(self, value: float) -> str:
        """A value of it, as sharply as it is known."""
        return f"< {number(self.blur)}" if value < self.blur else number(value)

    def is_best(self, peer: "Peer", peers: Sequence["Peer"]) -> bool:
        """Whether no other system is better, as far as can be told."""
        best, own = best_in(self, peers), self.of(peer)
        return best is not None and own is not None and abs(own.median - best[1].median) <= self.blur


def peers_of(loads: Loads) -> list[Peer]:
    """All systems of a report, in its order."""
    return [
        _peer(each, [runs for runs in loads.all if runs.key.peer == each.name]) for each in loads.report.peers
    ]


def columns_of(peers: Sequence[Peer]) -> list[Column]:
    """What systems are compared by."""
    few, many = (
        max((runs.key.connections for runs in some if runs), default=0)
        for some in ([each.fewest for each in peers], [each.most for each in peers])
    )
    shown = [
        Column(
            "users/s", "", f"in both stores, over {many} connections", _of_most(rate_of), more_is_better=True
        )
    ]
    latencies: tuple[tuple[str, Latency, str, str], ...] = (
        ("lag, half", "lag_ms", "half", "from the answer to the second store, at half of its own users/s"),
        (f"lag, {many}", "lag_ms", "most", f"from the answer to the second store, over {many} connections"),
        (f"answer, {few}", "post_ms", "fewest", f"how long a client waits, over {few} connections"),
        (f"answer, {many}", "post_ms", "most", f"how long a client waits, over {many} connections"),
    )
    shown += [
        Column(
            f"{name}, {percentile}", " ms", f"{what}, in ms", _latency(load, of, percentile), blur=BLUR_MS[of]
        )
        for name, of, load, what in latencies
        for percentile in ("p50", "p99")
    ]
    return [
        *shown,
        Column("CPU", " µs", "of its programs and both databases per user, in µs", _of_most(servers_cpu)),
        Column("memory", " MiB", "of its programs without the databases, in MiB", _of_most(_memory)),
        Column("lines", "", "that one has to write and keep: neither blank nor comments", _lines),
    ]


def contents(loads: Loads, proof: PeersVerdict | None) -> dict[str, Sequence[Content]]:
    """What goes into the slots of a report of systems side by side, but the plots."""
    peers = peers_of(loads)
    columns = columns_of(peers)
    verdicts = proof.peers if proof else []
    return {
        "sentences": [
            element("p", *_answer(peers, columns, verdicts)),
            *_where_others_are_better(peers, columns),
        ],
        "side-by-side": [_table(peers, columns)] if peers else [],
        "verdicts": [_verdicts(verdicts), *_reasons(verdicts)] if verdicts else [],
        "designs": [element("dl", *map(_design, peers), class_="method")] if peers else [],
        "left-out": [element("ul", *(element("li", each) for each in loads.report.left_out), class_="list")]
        if loads.report.left_out
        else [],
    }


def best_in(column: Column, peers: Sequence[Peer]) -> tuple[Peer, Spread] | None:
    """The system with the best median, and its number; None: nobody has one."""
    found = [(each, value) for each in peers if (value := column.of(each)) is not None]
    sign = -1 if column.more_is_better else 1
    return min(found, key=lambda pair: sign * pair[1].median, default=None)


def _peer(facts: PeerFacts, loads: Sequence[Runs]) -> Peer:
    closed = sorted(
        (each for each in loads if each.key.kind == Kind.CLOSED), key=lambda each: each.key.connections
    )
    half = next((each for each in loads if each.key.kind == Kind.OPEN), None)
    return Peer(facts, loads, closed[-1] if closed else None, closed[0] if closed else None, half)


def _of_most(value: Callable[[Measurement], float]) -> Callable[[Peer], Spread | None]:
    def find(peer: Peer) -> Spread | None:
        found = peer.most.spread(value) if peer.most else None
        return found if found and found.median else None

    return find


def _latency(load: str, of: Latency, percentile: str) -> Callable[[Peer], Spread | None]:
    def find(peer: Peer) -> Spread | None:
        runs: Runs | None = getattr(peer, load)
        return runs.latency(of, percentile) if runs else None

    return find


def _not_arrived(measurement: Measurement) -> bool:
    return measurement.not_arrived > 0


def _memory(measurement: Measurement) -> float:
    return measurement.memory_mib.get("instances", 0.0)


def _lines(peer: Peer) -> Spread | None:
    return median_with_spread([float(peer.facts.lines)]) if peer.facts.lines else None


def _answer(
    peers: Sequence[Peer], columns: Sequence[Column], verdicts: Sequence[PeerVerdict]
) -> Iterator[Content]:
    """The sentence for a reader who reads nothing else."""
    rates = columns[0]
    best = best_in(rates, peers)
    if best is None:
        yield "No system could be measured."
        return
    winner, rate = best
    yield f"Of {len(peers)} designs, " if len(peers) > 1 else ""
    yield element("strong", f"{winner.facts.name} carries {number(rate.median)} users a second")
    second = best_in(rates, [each for each in peers if each is not winner])
    if second is not None:
        times = number(rate.median / second[1].median)
        yield f", {times} times as many as the next, {second[0].facts.name}"
        yield " (but their rounds overlap)" if rate.min <= second[1].max else ""
    yield from _soonest(winner, peers, columns[1])
    behind = {
        each.facts.name for each in peers for runs in each.loads if any(map(_not_arrived, runs.measurements))
    }
    if behind:
        yield f"; {len(behind)} had not brought all of its users there a minute after a load"
    yield from _judged(verdicts)
    yield "."


def _soonest(winner: Peer, peers: Sequence[Peer], lag: Column) -> Iterator[str]:
    """Who has the least lag, beside who carries most."""
    best, own = best_in(lag, peers), lag.of(winner)
    if best is None:
        return
    with_whom = f" soonest with {best[0].facts.name}:" if len(peers) > 1 else ""
    yield f"; users are in the second store{with_whom} after {lag.text(best[1].median)} ms "
    yield "at half of its rate (p50)"
    if best[0] is not winner and own is not None:
        yield f", beside {lag.text(own.median)} ms with {winner.facts.name}"


def _judged(verdicts: Sequence[PeerVerdict]) -> Iterator[str]:
    """How many failed, and by what, in words."""
    if not verdicts:
        return
    wrong = Counter(kind for each in verdicts for kind in Wrong if getattr(each.counts, kind))
    said = [f"{count} {WORDS[kind]}" for kind, count in wrong.items()]
    broken = sum(bool(each.broken_off) for each in verdicts)
    said += [f"{broken} could not be judged"] if broken else []
    yield f"; of {len(verdicts)} that were put to the proof, "
    yield ", ".join(said) if said else f"{sum(each.holds for each in verdicts)} kept all users"


def _where_others_are_better(peers: Sequence[Peer], columns: Sequence[Column]) -> list[Content]:
    """In which columns another is better than ours, or, without ours, than the one that carries most."""
    best = best_in(columns[0], peers)
    subject = next((each for each in peers if each.facts.name == OURS), best[0] if best else None)
    if subject is None or len(peers) == 1:
        return []
    said, found = [], 0
    for column in columns:
        best, own = best_in(column, peers), column.of(subject)
        if best is None or own is None or column.is_best(subject, peers):
            continue
        found += 1
        numbers = f"{column.text(best[1].median)} beside {column.text(own.median)}{column.unit}"
        said.append(f"{best[0].facts.name} in “{column.name}” ({numbers})")
    if not said:
        return [element("p", f"In no column of the table is another better than {subject.facts.name}.")]
    return [
        element(
            "p",
            f"Others are better than {subject.facts.name} in {found} of {len(columns)} columns: ",
            "; ".join(said),
            ".",
        )
    ]


def _table(peers: Sequence[Peer], columns: Sequence[Column]) -> Content:
    rows: list[list[Content]] = [
        [each.facts.name, *(_cell(column, each, peers) for column in columns)] for each in peers
    ]
    header: list[Content] = ["system", *(explained(each.name, each.what) for each in columns)]
    return table(
        "Medians; below each the least and the most of its rounds. ★: the best of the column", header, rows
    )


def _cell(column: Column, peer: Peer, peers: Sequence[Peer]) -> Content:
    found = column.of(peer)
    if found is None:
        return None
    least, value, most = map(column.text, (found.min, found.median, found.max))
    reach = element("small", f"{least} to {most}") if least != most else None
    return element("span", element("b", f"★ {value}") if column.is_best(peer, peers) else value, reach)


def _verdicts(verdicts: Sequence[PeerVerdict]) -> Content:
    faults = list(dict.fromkeys(fault.fault for each in verdicts for fault in each.faults))
    header: list[Content] = [
        "system",
        "verdict",
        "acknowledged",
        explained("lost", "acknowledged, and missing in a store in the end"),
        explained("doubled", "an address that a store has more than once"),
        explained("differing", "a store has other fields than were sent"),
        explained("late", "in the second store in the end, but not in time"),
        explained("sent again", "commands without an answer, which any client has to send again"),
        "keys",
        *(
            explained(f"{fault}, s", "seconds until a user who came after it was in the second store")
            for fault in faults
        ),
    ]
    rows: list[list[Content]] = []
    for each in verdicts:
        seconds = {fault.fault: fault.seconds_to_recover for fault in each.faults}
        rows.append(
            [
                each.peer,
                element("b", "✓ holds" if each.holds else "✗ fails", class_="good" if each.holds else "bad"),
                f"{each.counts.acknowledged:,}",
                *(f"{getattr(each.counts, kind):,}" for kind in Wrong),
                f"{sum(each.sent_again.values()):,}",
                "yes" if each.accepts_keys else "none",
                *("" if fault not in seconds else _seconds(seconds[fault]) for fault in faults),
            ]
        )
    return table(
        "What became of users that were acknowledged while programs were killed or stopped", header, rows
    )


def _seconds(found: float | None) -> str:
    return "never" if found is None else number(found)


def _reasons(verdicts: Sequence[PeerVerdict]) -> list[Content]:
    said = [
        element("li", element("b", f"{each.peer}: "), sentence)
        for each in verdicts
        for sentence in (each.broken_off, *each.reasons, *each.left_out)
        if sentence
    ]
    return [element("ul", *said, class_="list")] if said else []


def _design(peer: Peer) -> Content:
    facts = peer.facts
    made_with = ", ".join(f"{name} {version}".strip() for name, version in facts.made_with.items())
    keys = (
        "A command that is sent again with its key creates no second user."
        if facts.accepts_keys
        else "No keys."
    )
    return element(
        "div",
        element("dt", facts.name),
        element("dd", facts.what, f" {keys}", f" Made with {made_with}." if made_with else ""),
    )
