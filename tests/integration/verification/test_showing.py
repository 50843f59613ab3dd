"""What an instance tells of the comparison of both stores: health, metrics, and a route."""

from waiting import until


async def test_health_metrics_and_the_route_say_what_differs_until_it_is_healed(system, serve):
    served = await serve("instance-1", SCRUB_CPU_PERCENT="100")
    client = served.client
    made = await client.post("/api/v1/user-command?seed=run", json={"email": "a@b"})

    async def shows(**fields) -> bool:
        found = (await client.get("/api/v1/verification")).json()
        return all(found[name] == value for name, value in fields.items())

    await until(lambda: shows(isEqual=True, isWhole=True, users=1), "one user verified")
    (user,) = (await client.get("/health/flow")).json()["verified"]
    assert (user["kind"], user["checked"], user["missing"]) == ("user", 1, 0)
    metrics = (await client.get("/metrics")).text
    assert 'tandem_differences{kind="user",what="missing"} 0.0' in metrics
    assert 'tandem_verified_users_total{kind="user"}' in metrics
    assert 'tandem_verification_age_seconds{kind="user"}' in metrics

    await system.users.delete_one({"_id": made.json()["id"]})
    await until(lambda: shows(isEqual=False), "a difference")

    async def is_ill() -> bool:
        answer = await client.get("/health/flow")
        return answer.status_code == 503 and "1 missing" in answer.json()["detail"]

    await until(is_ill, "health that names it")
    assert 'tandem_differences{kind="user",what="missing"} 1.0' in (await client.get("/metrics")).text


async def test_without_a_share_nothing_is_told_of_an_age(system, serve):
    served = await serve("instance-1", SCRUB_CPU_PERCENT="0")
    assert "tandem_verification_age_seconds" not in (await served.client.get("/metrics")).text
    found = (await served.client.get("/api/v1/verification")).json()
    assert found == {"isEqual": False, "isWhole": False, "ageSeconds": 0.0, "users": 0, "kinds": []}
