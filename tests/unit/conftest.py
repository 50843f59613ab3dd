"""Unit tests run without servers and without a browser: who asks for one of them is told so."""

from typing import Never

import pytest

REASON = "a unit test needs no server: this one belongs to tests/integration or tests/system"


@pytest.fixture(scope="session")
def servers() -> Never:
    """Refuses: with it go databases, instances and stacks."""
    pytest.fail(REASON)


@pytest.fixture(scope="session")
def browser() -> Never:
    """Refuses."""
    pytest.fail(REASON)
