"""What an instance tells Prometheus is what has happened, and in the words of the documents."""

import re

from prometheus_client.parser import text_string_to_metric_families

from places import ROOT
from waiting import until

PAGE = ROOT / "docs" / "observability.md"
URL = "/api/v1/user-command?seed=counted"


async def told_by(served) -> dict[tuple[str, ...], float]:
    """Name and label values to value."""
    text = (await served.client.get("/metrics")).text
    families = text_string_to_metric_families(text)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in families
        for sample in family.samples
    }


async def test_requests_are_counted_by_route_and_status_never_by_what_a_client_sent(serve, system):
    served = await serve("counting")
    for user_id in (1, 2, 3):
        await served.client.get(f"/api/v1/user-command/{user_id}")
    await served.client.post(URL, json={"email": "nonsense"})
    await served.client.get("/nowhere/else")
    await served.client.delete("/api/v1/stats")
    told = await told_by(served)
    requests = "tandem_http_requests_total"
    assert told[requests, "GET", "/api/v1/user-command/{id}", "404"] == 3
    assert told[requests, "POST", "/api/v1/user-command", "400"] == 1
    assert told[requests, "POST", "/api/v1/user-command", "503"] == 0
    assert told[requests, "other", "none", "404"] == 1
    assert told[requests, "other", "none", "405"] == 1
    durations = "tandem_http_request_duration_seconds"
    assert told[f"{durations}_count", "GET", "/api/v1/user-command/{id}"] == 3
    assert told[f"{durations}_bucket", "+Inf", "GET", "/api/v1/user-command/{id}"] == 3
    assert not [key for key in told if any("nowhere" in part or "user-command/1" in part for part in key)]


async def test_users_are_counted_at_each_stage_with_their_lag(serve, system):
    served = await serve("counting")
    for number in range(5):
        await served.client.post(URL, json={"email": f"{number}@example.com"})
    await system.until_synchronized(5)

    async def all_is_counted() -> bool:
        return (await told_by(served))["tandem_stage_users_total", "synchronized"] == 5

    await until(all_is_counted, "five users counted")
    told = await told_by(served)
    stages = {key[1]: value for key, value in told.items() if key[0] == "tandem_stage_users_total"}
    unchanged = {"updated": 0, "deleted": 0}
    assert stages == {"stored": 5, "projected": 5, "synchronized": 5, "set_aside": 0} | unchanged
    assert told["tandem_lag_seconds_count",] == 5
    assert told["tandem_lag_seconds_sum",] > 0
    assert told["tandem_taken_over_users_total",] == 0
    assert told["tandem_batch_items_sum", "CreateUserCommand"] == 5
    assert told["tandem_batch_duration_seconds_count", "CreateUserCommand"] > 0


async def test_only_the_metrics_asked_for_are_shown(serve):
    served = await serve("counting")
    answer = await served.client.get("/metrics?names=tandem_ready,tandem_http_requests,unknown")
    told = [family.name for family in text_string_to_metric_families(answer.text)]
    assert told == ["tandem_http_requests", "tandem_ready"]


async def test_every_metric_is_described_and_every_described_one_is_told(scrape):
    told = {
        family.name for family in text_string_to_metric_families(scrape) if family.name.startswith("tandem_")
    }
    described = {
        name.removesuffix("_total")
        for name in re.findall(r"^\| `(tandem_\w+)", PAGE.read_text(), re.MULTILINE)
    }
    assert described == told
