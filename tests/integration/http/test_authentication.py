"""Access tokens: who gets in, who does not, and what each is told."""

import contextlib
import json
import time

import pytest

from tandem.http.authentication import TokenAuthenticator
from tandem.http.requests import json_response
from tandem.http.routes import Route, Scope
from tandem.http.token_keys import public_keys
from tandem.http.tokens import TokenRules
from tokens_for_tests import (
    ANOTHER,
    OURS,
    public_pem,
    signed_with_public_key,
    token,
    unsigned,
    with_other_claims,
)
from waiting import until


async def fine(_):
    return json_response("fine")


ROUTES = [
    Route("GET", "/users", fine, "Wants a scope", scope=Scope.QUERY),
    Route("POST", "/users", fine, "Wants another scope", scope=Scope.COMMAND),
    Route("GET", "/forgotten", fine, "Says nothing of scopes"),
    Route("GET", "/open", fine, "For everybody", scope=None),
]


@contextlib.asynccontextmanager
async def locked(serving, *keys, issuer=""):
    rules = TokenRules(public_keys(b"".join(map(public_pem, keys or [OURS]))), "tandem", issuer)
    async with serving(ROUTES, authenticator=TokenAuthenticator(rules)) as client:
        yield client


def bearer(value):
    return {"Authorization": f"Bearer {value}"}


def assert_refused(answer, status, *words):
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith('Bearer realm="tandem"')
    problem = answer.json()
    assert problem["status"] == status
    for word in words:
        assert word in problem["detail"]


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "Basic dGFuZGVtOjE="}, {"Authorization": "Bearer"}],
    ids=["none", "another scheme", "an empty one"],
)
async def test_who_brings_no_token_is_asked_for_one(serving, headers):
    async with locked(serving) as client:
        assert_refused(await client.get("/users", headers=headers), 401)


async def test_a_token_lets_in_where_it_has_the_right(serving):
    async with locked(serving) as client:
        for _ in range(2):  # the second is known already
            assert (await client.get("/users", headers=bearer(token()))).json() == "fine"
        several = token(scope="openid operator query command")
        for method, path in (("GET", "/users"), ("POST", "/users"), ("GET", "/forgotten")):
            assert (await client.request(method, path, headers=bearer(several))).status_code == 200
        lower_case = {"Authorization": f"bearer {token()}"}
        assert (await client.get("/users", headers=lower_case)).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [("POST", "/users", "command"), ("GET", "/forgotten", "operator"), ("HEAD", "/forgotten", "operator")],
)
async def test_a_token_without_the_right_is_told_which_it_lacks(serving, method, path, scope):
    async with locked(serving) as client:
        answer = await client.request(method, path, headers=bearer(token()))
        assert answer.status_code == 403
        challenge = answer.headers["www-authenticate"]
        assert 'error="insufficient_scope"' in challenge
        assert f'scope="{scope}"' in challenge
        if method != "HEAD":
            assert_refused(answer, 403, f"'{scope}'")


WRONG = {
    "no signature": lambda: unsigned({"alg": "none"}),
    "no algorithm": lambda: unsigned({"typ": "JWT"}),
    "the public key as a secret": signed_with_public_key,
    "a key of its own": lambda: token(ANOTHER),
    "a key of its own, in its header": lambda: unsigned({"alg": "EdDSA", "jwk": {"kty": "OKP"}}, b"x" * 64),
    "more scopes than were signed": lambda: with_other_claims(token(), scope="query operator"),
    "nested beyond reason": lambda: unsigned({"alg": "EdDSA", "x": json.loads("[" * 500 + "]" * 500)}),
    "no token": lambda: "letmein",
    "too long": lambda: token(padding="x" * 10_000),
    "a critical extension that is unknown": lambda: unsigned({"alg": "EdDSA", "crit": ["x"], "x": 1}),
    "expired": lambda: token(exp=int(time.time()) - 60),
    "no end": lambda: token(exp=None),
    "not yet": lambda: token(nbf=int(time.time()) + 3_600),
    "for another service": lambda: token(aud="payroll"),
    "for nobody": lambda: token(aud=None),
    "a scope that is no text": lambda: token(scope=["query"]),
}


@pytest.mark.parametrize("make", WRONG.values(), ids=WRONG.keys())
async def test_a_wrong_token_is_refused_and_never_repeated(serving, caplog, make):
    wrong = make()
    async with locked(serving) as client:
        for _ in range(2):
            answer = await client.get("/users", headers=bearer(wrong))
            assert_refused(answer, 401)
            assert 'error="invalid_token"' in answer.headers["www-authenticate"]
            assert wrong not in answer.text
        assert (await client.get("/users", headers=bearer(token()))).status_code == 200
    assert caplog.records == []


async def test_a_token_that_was_let_in_is_refused_once_it_has_expired(serving):
    # Clocks may differ by 30 seconds, so this one has about a second left.
    brief = bearer(token(exp=int(time.time()) - 28))
    async with locked(serving) as client:
        assert (await client.get("/users", headers=brief)).status_code == 200

        async def is_refused():
            return (await client.get("/users", headers=brief)).status_code == 401

        await until(is_refused, "the token expired")


async def test_keys_are_changed_by_having_both_for_a_while(serving):
    async with locked(serving, OURS, ANOTHER) as client:
        for key in (OURS, ANOTHER):
            assert (await client.get("/users", headers=bearer(token(key)))).status_code == 200


async def test_where_an_issuer_is_set_no_other_is_believed(serving):
    async with locked(serving, issuer="https://id.example") as client:
        scope = token(iss="https://id.example")
        assert (await client.get("/users", headers=bearer(scope))).status_code == 200
        for wrong in (token(iss="https://evil.example"), token()):
            assert_refused(await client.get("/users", headers=bearer(wrong)), 401)


async def test_what_is_for_everybody_wants_no_token_and_minds_no_wrong_one(serving):
    async with locked(serving) as client:
        assert (await client.get("/open")).status_code == 200
        assert (await client.get("/open", headers=bearer("letmein"))).status_code == 200


async def test_a_body_is_not_looked_at_before_the_token(serving):
    async with locked(serving) as client:
        assert_refused(await client.post("/users", content=b"{" * 1_000), 401)


async def test_more_tokens_than_are_remembered_are_all_let_in(serving):
    in_an_hour = int(time.time()) + 3_600
    tokens = [token(jti=str(number), exp=in_an_hour) for number in range(1_100)]
    async with locked(serving) as client:
        for each in (*tokens, tokens[0]):
            assert (await client.get("/users", headers=bearer(each))).status_code == 200
