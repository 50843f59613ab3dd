"""Keys: what is one, what it stands for, and in which order commands are carried out."""

import pytest

from tandem.delivery.idempotency import Idempotency, InvalidKey, _to_carry_out, idempotency_of


class Command:
    def __init__(self, key: str | None = None) -> None:
        self.idempotency = Idempotency(key, b"same") if key else None


def test_keys_are_carried_out_in_their_order_whatever_order_they_came_in():
    """So two batches with the same keys cannot wait for each other in a circle."""
    a, b, bare = Command("a"), Command("b"), Command()
    assert _to_carry_out([b, bare, a], {}) == _to_carry_out([a, b, bare], {}) == [bare, a, b]


def test_a_quoted_key_is_the_same_as_a_bare_one():
    assert idempotency_of(' "a key" ', "run", b"{}") == idempotency_of("a key", "run", b"{}")


@pytest.mark.parametrize(("seed", "body"), [("other", b"{}"), ("run", b"[]")])
def test_the_fingerprint_is_of_run_and_body(seed, body):
    assert idempotency_of("k", "run", b"{}") != idempotency_of("k", seed, body)


@pytest.mark.parametrize("key", ["", '""', "x" * 129, "käse", '"half', 'in"side'])
def test_a_key_that_is_no_key_is_refused(key):
    with pytest.raises(InvalidKey, match="1 to 128"):
        idempotency_of(key, "run", b"{}")
