"""Writes the page. Its text is page.html, and the elements with a `data-slot` are filled from here."""

import shlex
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring, tostring

from tandem_lab.bench.results import Report
from tandem_lab.proof.peers import PeersVerdict
from tandem_lab.report import answer, cells, peer_plots, peers, plots, scaling, tables
from tandem_lab.report.markup import Content, add, element
from tandem_lab.report.runs import Loads
from tandem_lab.report.thresholds import ThresholdOutcome

Slots = Mapping[str, Sequence[Content]]


def write_report(
    report: Report,
    html: Path,
    thresholds: Sequence[ThresholdOutcome] = (),
    proof: PeersVerdict | None = None,
) -> None:
    """Write the report as one file of HTML that needs nothing else. `proof` is shown in a report of peers.

    Raises:
        OSError: the file cannot be written.
    """
    write_page(page_of(report, thresholds, proof), html)


def write_page(page: str, html: Path) -> None:
    """Write a page to a file.

    Raises:
        OSError: the file cannot be written.
    """
    # A command line may contain bytes that are not text. They are shown as numbers.
    html.write_text(page, encoding="utf-8", errors="backslashreplace")


def page_of(
    report: Report, thresholds: Sequence[ThresholdOutcome] = (), proof: PeersVerdict | None = None
) -> str:
    """The page's HTML."""
    page = fromstring(_file("html"))  # noqa: S314 - our own file
    return _finished(page, _contents(report, thresholds, proof), report.kind)


def page_with(title: str, said: str, sections: Sequence[Element]) -> str:
    """The HTML of a page with other contents: its first section, a list of contents, and all others."""
    page = fromstring(_file("html"))  # noqa: S314 - our own file
    head, body = page
    for each in head.findall("title"):
        head.remove(each)
    head.append(element("title", title))
    header, main, _ = body
    header[:] = [element("h1", title), element("p", said)]
    main[:] = [sections[0], element("nav", aria_label="Contents"), *sections[1:]]
    return _finished(page, {})


def _finished(page: Element, contents: Slots, kind: str = "") -> str:
    style, script = _file("css"), _file("js")
    _fill(page, {**contents, "style": [style], "script": [script]}, kind)
    _guard(page, style, script)
    _list_sections(page)
    return "<!DOCTYPE html>\n" + tostring(page, encoding="unicode", method="html")


def _file(kind: str) -> str:
    return files("tandem_lab.report").joinpath(f"page.{kind}").read_text()


def _contents(
    report: Report, thresholds: Sequence[ThresholdOutcome], proof: PeersVerdict | None
) -> dict[str, Sequence[Content]]:
    """What goes into each slot. A section whose slot stays empty is left out."""
    loads = Loads(report)
    processor = report.environment.get("machine", {}).get("processor", "unknown processor")
    own = (
        peers.contents(loads, proof) | peer_plots.plots(loads)
        if report.kind == "peers"
        else _of_tandem(loads)
    )
    return {
        "begun": [report.begun_at],
        "machine": [f"{processor}, {loads.cores or '?'} cores"],
        "revision": [str(report.environment.get("revision") or "unknown")],
        "command": [shlex.join(report.command)],
        "warnings": answer.warning_boxes(loads),
        "durability": answer.durability(loads),
        "verdict": answer.verdict(thresholds),
        "by-load": tables.by_load(loads),
        "run-by-run": tables.run_by_run(report),
        "environment": tables.environment(report.environment),
        **own,
    }


def _of_tandem(loads: Loads) -> dict[str, Sequence[Content]]:
    return {
        "sentences": cells.sentences(loads)
        or (scaling if loads.report.kind == "scale" else answer).sentences(loads),
        "numbers": answer.big_numbers(loads),
        "throughput": plots.throughput(loads),
        "lag": plots.lag(loads),
        "latency": plots.latency(loads),
        "open-loop": plots.open_loop(loads),
        "cpu": plots.cpu(loads),
        "cells": cells.by_cells(loads),
        "instances": scaling.over_instances(loads),
        "connections": scaling.over_connections(loads),
        "baselines": tables.baselines(loads),
        "changes": tables.changes(loads),
        "beside-users": tables.beside_users(loads),
        "contention": plots.contention(loads),
        "reads": tables.reads(loads),
        "own-writes": tables.own_writes(loads.report),
    }


def _fill(parent: Element, contents: Slots, kind: str) -> None:
    """Fill the slots, and remove those without contents, and what is of another kind of report."""
    for child in list(parent):
        slot, of = child.attrib.pop("data-slot", None), child.attrib.pop("data-of", None)
        if (of is not None and (of == "peers") != (kind == "peers")) or (slot and not contents.get(slot)):
            parent.remove(child)
            continue
        _fill(child, contents, kind)
        if slot is not None:
            add(child, contents[slot])


def _guard(page: Element, style: str, script: str) -> None:
    """Let the browser run and load what is written here, and nothing else."""
    hashes = (f"'sha256-{b64encode(sha256(each.encode()).digest()).decode()}'" for each in (style, script))
    policy = "default-src 'none'; img-src data:; style-src {}; script-src {}".format(*hashes)
    page[0].insert(1, element("meta", http_equiv="Content-Security-Policy", content=policy))


def _list_sections(page: Element) -> None:
    sections = [(each.get("id"), each.findtext(".//h2")) for each in page.iter("section")]
    links = (element("li", element("a", title, href=f"#{name}")) for name, title in sections)
    for contents in page.iter("nav"):
        add(contents, [element("ul", *links)])
