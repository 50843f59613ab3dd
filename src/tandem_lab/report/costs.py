"""What a user costs, from a report: the ground of `tandem plan`."""

from statistics import median

from tandem_lab.bench.results import Report, rate_of
from tandem_lab.capacity import DATABASES, Costs, Prediction, predict
from tandem_lab.errors import LabError
from tandem_lab.report.metrics import SERVERS, servers_cpu
from tandem_lab.report.runs import Loads, Runs

#: What `tandem plan` goes by where it is given no report. docs/capacity.md says how it was measured.
DOCUMENTED = Costs(
    cpu_us={"instances": 100.0, "postgres": 44.0, "mongodb": 23.0, "haproxy": 64.0},
    event_loop_us=81.0,
    logged_bytes={"postgres": 3600.0, "mongodb": 450.0},
    stored_bytes={"postgres": 3090.0, "mongodb": 580.0},
    error=0.13,
    error_is="how far the prediction for four cells was off, in the worse of two runs",
    source="documented figures of 27 November 2026, of 2 cores (docs/capacity.md); --from takes your own",
)


def over_cells(loads: Loads) -> dict[int, Runs]:
    """The closed loads by the number of cells, ascending; of several, the one with the most connections."""
    found = sorted(
        (each for each in loads.closed if each.key.cells and each.rate.min > 0),
        key=lambda each: (each.key.cells, each.key.connections),
    )
    return {each.key.cells: each for each in found}


def prediction_of(loads: Loads) -> Prediction | None:
    """What the two fewest cells say of the most; None: too few numbers of cells were measured."""
    return predict({n: list(map(rate_of, each.measurements)) for n, each in over_cells(loads).items()})


def costs_of(report: Report) -> Costs:
    """What a user cost at saturation, over the most cells if there were several: medians of the rounds.

    Raises:
        LabError: the report does not say all of it.
    """
    loads = Loads(report)
    cells = over_cells(loads)
    runs = cells[max(cells)] if cells else loads.saturated
    rounds = runs.measurements if runs else []
    if runs is None or not all(set(DATABASES) <= each.stored_bytes_per_user.keys() for each in rounds):
        msg = (
            "This report has no closed load with the bytes that a user takes. Measure again: `tandem bench`."
        )
        raise LabError(msg)
    error, error_is = _error(loads, runs)
    return Costs(
        cpu_us={name: median(each.cpu_us_per_user.get(name, 0.0) for each in rounds) for name in SERVERS},
        event_loop_us=median(each.event_loop_us_per_user or 0.0 for each in rounds),
        logged_bytes={
            "postgres": median(each.wal_bytes_per_user or 0.0 for each in rounds),
            "mongodb": median(each.journal_bytes_per_user or 0.0 for each in rounds),
        },
        stored_bytes={
            name: median(each.stored_bytes_per_user[name] for each in rounds) for name in DATABASES
        },
        error=error,
        error_is=error_is,
        source=f"measured at {report.begun_at}",
    )


def _error(loads: Loads, runs: Runs) -> tuple[float | None, str]:
    """The largest known error of a rate that is predicted from this, and what it is."""
    cpu, found = runs.spread(servers_cpu), []
    if cpu.repeats > 1:
        found.append(((cpu.max - cpu.min) / 2 / cpu.median, "half of the spread of the CPU between rounds"))
    if (prediction := prediction_of(loads)) is not None:
        what = f"how far the prediction for {prediction.cells} cells was off"
        found.append((prediction.error, what))
    return max(found, default=(None, "there was one round only"))
