"""What limits throughput: which component is out of CPU, and how many users per second some cores can carry.

The CPU cost of a user hardly depends on the number of cores, but the throughput of a busy machine does. So
capacities are predicted from the cost, by the utilization law: utilization = throughput x service demand
(P. Denning, J. Buzen, "The Operational Analysis of Queueing Network Models", ACM Computing Surveys, 1978).
"""

from collections.abc import Mapping
from math import fsum, isfinite
from typing import Literal

import msgspec

#: From this share on, a core counts as full. Scheduling and sampling never let it reach 1.
FULL = 0.92
#: A component that uses less than this share of a core is not busy.
BUSY = 0.05


class Saturation(msgspec.Struct, frozen=True):
    """What limits a run. `utilization` is that of the component or of all cores; `sentence` is for people."""

    limit: Literal["component", "cores", "none"]
    component: str | None
    utilization: float
    sentence: str


def saturated_component(
    cpu_seconds: Mapping[str, float], wall_seconds: float, cores: int, threads: Mapping[str, int]
) -> Saturation:
    """Say what saturates, from the CPU seconds that each component used in `wall_seconds` on `cores` cores.

    `threads` has the components that cannot use every core, with the number of cores that they can use: 1 for
    a Python process or an nginx worker, 3 for three of them together. Such a component is the limit if its
    threads are full, even if all cores are full. Otherwise the limit is all cores, or waiting.

    Raises:
        ValueError: there are no components, time, cores or threads, or CPU is negative or not finite.
    """
    _check(cpu_seconds, cores, threads)
    if wall_seconds <= 0:
        raise ValueError("The run must have taken time.")
    used = {name: seconds / wall_seconds for name, seconds in cpu_seconds.items()}
    of_all = fsum(used.values()) / cores
    crowd = _crowd(used, cores) if of_all >= FULL else ""
    bound = {name: used[name] / count for name, count in threads.items() if name in used and count < cores}
    name = max(bound, key=bound.__getitem__, default="")
    if name and bound[name] >= FULL:
        return Saturation(
            "component", name, bound[name], _component_sentence(name, bound[name], threads[name]) + crowd
        )
    if of_all >= FULL:
        return Saturation("cores", None, of_all, _cores_sentence(used, cores) + crowd)
    return Saturation("none", None, of_all, _waiting_sentence(used, of_all, cores))


def predicted_capacity(cpu_us_per_user: Mapping[str, float], cores: int, threads: Mapping[str, int]) -> float:
    """Users per second that `cores` cores can carry, from the CPU us that each component spends on a user.

    The limit is all cores together, or a component of `threads` (see `saturated_component`). The result is an
    upper bound, because it leaves out waiting, colder caches and slower clocks.

    Raises:
        ValueError: there are no components, cores, threads or cost, or a cost is negative or not finite.
    """
    _check(cpu_us_per_user, cores, threads)
    bound = [cpu_us_per_user.get(name, 0.0) / min(count, cores) for name, count in threads.items()]
    us_per_user = max([fsum(cpu_us_per_user.values()) / cores, *bound])
    if us_per_user == 0:
        raise ValueError("At least one component must use CPU.")
    return 1e6 / us_per_user


def _component_sentence(name: str, utilization: float, threads: int) -> str:
    can = "the one core that it" if threads == 1 else f"the {threads} cores that its processes"
    return (
        f"{name} saturates: it uses {utilization:.0%} of {can} can. "
        "More cores do not help it; less work in it, or more processes of its kind, do."
    )


def _cores_sentence(used: Mapping[str, float], cores: int) -> str:
    largest, most = max(used.items(), key=lambda each: each[1])
    all_cores = "The only core is" if cores == 1 else f"All {cores} cores are"
    return f"{all_cores} busy; the largest share, {most / fsum(used.values()):.0%}, goes to {largest}."


def _waiting_sentence(used: Mapping[str, float], of_all: float, cores: int) -> str:
    largest, most = max(used.items(), key=lambda each: each[1])
    return (
        f"No CPU saturates: {of_all:.0%} of all CPU ({_cores(cores)}) is used, most by {largest} "
        f"({most:.2f} cores). The rest is waiting: for the disk's fsync, for an answer from another "
        "part (lag), or for more load."
    )


def _crowd(used: Mapping[str, float], cores: int) -> str:
    """A warning if there are more busy components than cores."""
    busy = sum(1 for cores_used in used.values() if cores_used >= BUSY)
    if busy <= cores:
        return ""
    return (
        f" {busy} busy components share {_cores(cores)}: throughput that does not grow with N here "
        "is shared CPU, not coherency. Judge scaling by CPU per user."
    )


def _cores(count: int) -> str:
    return "1 core" if count == 1 else f"{count} cores"


def _check(cpu: Mapping[str, float], cores: int, threads: Mapping[str, int]) -> None:
    if not cpu or not all(isfinite(amount) and amount >= 0 for amount in cpu.values()):
        raise ValueError(
            "At least one component is needed, and each one's CPU must be finite and not negative."
        )
    if cores < 1 or any(count < 1 for count in threads.values()):
        raise ValueError("Cores, and a component's threads, count from 1.")
