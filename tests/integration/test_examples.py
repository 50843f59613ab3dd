"""What Swagger UI sends at the first press of Execute works, and what it shows as answers is what is sent."""

import pytest

# Nobody was set aside, so there is nobody to send again.
UNKNOWN = "/api/v1/dead-letters/{id}"


@pytest.fixture
async def served(system, serve):
    return (await serve("instance-1")).client


async def operations(client):
    """Each with its method and path: commands first, the deletion last."""
    paths = (await client.get("/api-json")).json()["paths"]
    found = [(method, path, each) for path, item in paths.items() for method, each in item.items()]
    return sorted(found, key=lambda each: ["post", "patch", "get", "delete"].index(each[0]))


def parameters_of(operation, place):
    return {
        each["name"]: each["example"]
        for each in operation.get("parameters", ())
        if each["in"] == place and each["required"]
    }


async def execute(client, method, path, operation):
    """The status, and the type of the answer; of an endless one no more than its head is read."""
    path = path.format(**parameters_of(operation, "path"))
    kind, body = next(iter(operation.get("requestBody", {}).get("content", {"": {}}).items()))
    request = client.build_request(
        method.upper(),
        path,
        params=parameters_of(operation, "query"),
        headers={"Content-Type": kind} if kind else {},
        json=body.get("example") if kind else None,
    )
    answer = await client.send(request, stream=True)
    if "event-stream" not in answer.headers.get("content-type", ""):
        await answer.aread()
    await answer.aclose()
    return answer


async def test_every_example_works_at_once(system, served):
    for method, path, operation in await operations(served):
        answer = await execute(served, method, path, operation)
        expected = 404 if path.startswith(UNKNOWN) else 200
        assert answer.status_code in range(expected, expected + 5), (method, path, answer.text)
        assert str(answer.status_code) in operation["responses"]
        if path == "/api/v1/user-command":
            await system.until_synchronized(1)
