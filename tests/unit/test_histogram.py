"""The histogram that metrics are told from."""

from tandem.histogram import Histogram


def test_a_bound_belongs_to_its_own_bucket_and_counts_add_up():
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 9.0):
        histogram.observe(value)
    histogram.observe(1.25, times=2)
    assert histogram.cumulative() == [(1.0, 2), (2.0, 6), (float("inf"), 7)]
    assert (histogram.count, histogram.total) == (7, 16.5)
