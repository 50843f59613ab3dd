"""What a span says of the server that a step went to."""

import pytest

from tandem.observability.tracing import _server_of


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("postgresql://a:b@db:5433/tandem", {"server.address": "db", "server.port": 5433}),
        ("postgresql://[::1]:5432/tandem", {"server.address": "::1", "server.port": 5432}),
        ("mongodb://u:p%40@one:1,two:2/tandem", {"server.address": "one", "server.port": 1}),
        ("mongodb+srv://cluster.example/tandem", {"server.address": "cluster.example"}),
        ("postgresql:///tandem?host=/run/postgresql", {}),
    ],
)
def test_a_server_is_known_by_what_its_url_says(url, server):
    assert _server_of(url) == server
