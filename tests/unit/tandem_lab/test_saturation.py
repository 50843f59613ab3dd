"""What the lab says about runs whose limit is known."""

import pytest

from tandem_lab.saturation import predicted_capacity, saturated_component

THREADS = {"instance-1": 1, "nginx": 1}


def test_a_single_threaded_component_near_one_core_is_the_limit():
    found = saturated_component({"instance-1": 9.7, "PostgreSQL": 12.0}, 10.0, cores=4, threads=THREADS)
    assert (found.limit, found.component) == ("component", "instance-1")
    assert found.utilization == pytest.approx(0.97)
    assert "instance-1 saturates: it uses 97% of the one core" in found.sentence


def test_processes_of_a_kind_count_together():
    used = {"instances": 29.0, "MongoDB": 5.0}
    assert saturated_component(used, 10.0, cores=8, threads={"instances": 3}).component == "instances"
    assert saturated_component(used, 10.0, cores=8, threads={"instances": 4}).limit == "none"


def test_a_component_with_threads_for_every_core_is_not_near_one_core():
    found = saturated_component({"PostgreSQL": 10.0}, 10.0, cores=4, threads=THREADS)
    assert found.limit == "none"


def test_all_cores_can_be_busy_without_a_single_one_to_blame():
    found = saturated_component(
        {"instance-1": 7.0, "PostgreSQL": 8.0, "MongoDB": 4.5}, 10.0, cores=2, threads=THREADS
    )
    assert (found.limit, found.component) == ("cores", None)
    assert "All 2 cores are busy; the largest share, 41%, goes to PostgreSQL." in found.sentence


@pytest.mark.parametrize("instance_seconds", [9.8, 7.0])
def test_components_that_crowd_few_cores_are_not_called_coherency(instance_seconds):
    used = {"instance-1": instance_seconds, "PostgreSQL": 19.6 - instance_seconds - 4, "MongoDB": 4.0}
    found = saturated_component(used, 10.0, cores=2, threads=THREADS)
    assert "3 busy components share 2 cores" in found.sentence
    assert "not coherency" in found.sentence


def test_components_that_have_a_core_each_share_none():
    found = saturated_component({"instance-1": 9.8, "PostgreSQL": 9.8}, 10.0, cores=2, threads=THREADS)
    assert "coherency" not in found.sentence


def test_a_single_core_is_spoken_of_as_one():
    found = saturated_component({"instance-1": 6.0, "PostgreSQL": 3.8}, 10.0, cores=1, threads=THREADS)
    assert found.limit == "cores"
    assert "The only core is busy" in found.sentence
    assert "share 1 core:" in found.sentence


def test_without_a_busy_cpu_the_time_goes_into_waiting():
    found = saturated_component({"instance-1": 3.0, "PostgreSQL": 2.0}, 10.0, cores=2, threads=THREADS)
    assert (found.limit, found.component) == ("none", None)
    assert found.utilization == pytest.approx(0.25)
    assert "waiting" in found.sentence
    assert "fsync" in found.sentence


@pytest.mark.parametrize(
    ("used", "wall", "cores", "threads"),
    [
        ({}, 1.0, 2, {}),
        ({"a": -1.0}, 1.0, 2, {}),
        ({"a": float("nan")}, 1.0, 2, {}),
        ({"a": 1.0}, 0.0, 2, {}),
        ({"a": 1.0}, 1.0, 0, {}),
        ({"a": 1.0}, 1.0, 2, {"a": 0}),
    ],
)
def test_what_cannot_have_been_measured_is_refused(used, wall, cores, threads):
    with pytest.raises(ValueError, match=r"CPU|time|Cores"):
        saturated_component(used, wall, cores, threads)


def test_all_cores_carry_what_the_sum_of_costs_allows():
    assert predicted_capacity({"instances": 70.0, "PostgreSQL": 80.0}, 3, {"instances": 3}) == pytest.approx(
        2e4
    )


def test_beyond_some_number_of_cores_a_single_threaded_component_is_the_bound():
    costs = {"instance-1": 70.0, "PostgreSQL": 80.0}
    assert predicted_capacity(costs, 64, {"instance-1": 1}) == pytest.approx(1e6 / 70)
    assert predicted_capacity(costs, 64, {"instance-1": 2}) == pytest.approx(2e6 / 70)


def test_what_costs_nothing_has_no_capacity():
    with pytest.raises(ValueError, match="must use CPU"):
        predicted_capacity({"instance-1": 0.0}, 2, {})
