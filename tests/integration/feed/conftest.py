"""What the tests of the feed read with."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from systems import System
from tandem.postgres.database import Database


@pytest.fixture
async def database(system: System) -> AsyncIterator[Database]:
    """Sessions with the rights of the service role."""
    url, deadline = system.urls.postgres_service_url, timedelta(seconds=20)
    opened = await Database.connect(url, name="feed", deadline=deadline)
    yield opened
    await opened.close()
