"""Writes the page. Its text is page.html, and the elements with a `data-slot` are filled from here."""

import shlex
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from xml.etree.ElementTree import Element, fromstring, tostring

from tandem_lab.bench.results import Report
from tandem_lab.report import answer, cells, plots, scaling, tables
from tandem_lab.report.markup import Content, add
from tandem_lab.report.runs import Loads
from tandem_lab.report.thresholds import ThresholdOutcome


def write_report(report: Report, html: Path, thresholds: Sequence[ThresholdOutcome] = ()) -> None:
    """Write the report as one file of HTML that needs nothing else.

    Raises:
        OSError: the file cannot be written.
    """
    # A command line may contain bytes that are not text. They are shown as numbers.
    html.write_text(page_of(report, thresholds), encoding="utf-8", errors="backslashreplace")


def page_of(report: Report, thresholds: Sequence[ThresholdOutcome] = ()) -> str:
    """The page's HTML."""
    here = files("tandem_lab.report")
    page = fromstring(here.joinpath("page.html").read_text())  # noqa: S314 - our own file
    _fill(page, _contents(report, thresholds) | {"style": [here.joinpath("page.css").read_text()]})
    return "<!DOCTYPE html>\n" + tostring(page, encoding="unicode", method="html")


def _contents(report: Report, thresholds: Sequence[ThresholdOutcome]) -> dict[str, list[Content]]:
    """What goes into each slot. A section whose slot stays empty is left out."""
    loads = Loads(report)
    processor = report.environment.get("machine", {}).get("processor", "unknown processor")
    return {
        "begun": [report.begun_at],
        "machine": [f"{processor}, {loads.cores or '?'} cores"],
        "revision": [str(report.environment.get("revision") or "unknown")],
        "command": [shlex.join(report.command)],
        "warnings": answer.warning_boxes(loads),
        "sentences": cells.sentences(loads)
        or (scaling if report.kind == "scale" else answer).sentences(loads),
        "numbers": answer.big_numbers(loads),
        "durability": answer.durability(loads),
        "verdict": answer.verdict(thresholds),
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
        "own-writes": tables.own_writes(report),
        "by-load": tables.by_load(loads),
        "run-by-run": tables.run_by_run(report),
        "environment": tables.environment(report.environment),
    }


def _fill(parent: Element, contents: dict[str, list[Content]]) -> None:
    for child in list(parent):
        slot = child.attrib.pop("data-slot", None)
        if slot is not None and not contents[slot]:
            parent.remove(child)
            continue
        _fill(child, contents)
        if slot is not None:
            add(child, contents[slot])
