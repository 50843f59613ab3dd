"""What every answer tells a browser about itself."""

import pytest

from tandem.web.requests import StreamResponse
from tandem.web.routes import Route
from web_example import ROUTES

EXPECTED = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
}


async def chunks():
    yield b"{}"


async def stream(_):
    return StreamResponse(chunks())


@pytest.mark.parametrize(
    ("path", "status"),
    [("/things?seed=s", 200), ("/things", 400), ("/nothing", 404), ("/stream", 200)],
    ids=["an answer", "a problem", "a path that leads nowhere", "a stream"],
)
async def test_data_may_be_neither_shown_nor_embedded_nor_kept(serving, path, status):
    async with serving([*ROUTES, Route("GET", "/stream", stream, "A stream")]) as client:
        answer = await client.get(path)
        assert answer.status_code == status
        assert {name: answer.headers[name] for name in EXPECTED} == EXPECTED
        assert all(len(answer.headers.get_list(name)) == 1 for name in EXPECTED)
