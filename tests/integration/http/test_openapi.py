"""The OpenAPI document says what the routes do."""

import pytest
from openapi_spec_validator import validate

from tandem.http.examples import add_examples
from tandem.http.openapi import openapi_document, openapi_route
from tandem.http.routes import Route
from web_example import ROUTES


@pytest.fixture
async def document(serving):
    hidden = Route("GET", "/page.css", ROUTES[1].endpoint, "A file", documented=False)
    routes = [*ROUTES, hidden]
    async with serving([*routes, openapi_route(routes, title="Things", version="1.2.3")]) as client:
        return (await client.get("/api-json")).json()


def test_the_document_is_valid_openapi(document):
    validate(document)
    assert document["openapi"].startswith("3.1.")
    assert document["info"]["title"] == "Things"


def test_every_documented_route_is_in_it_and_no_other(document):
    operations = {(method, path) for path, item in document["paths"].items() for method in item}
    assert operations == {
        ("post", "/things"),
        ("get", "/things"),
        ("get", "/things/{id}"),
        ("get", "/api-json"),
    }


def test_parameters_are_described_by_the_types_that_validate_them(document):
    seed, limit = document["paths"]["/things"]["get"]["parameters"]
    assert seed == {
        "name": "seed",
        "in": "query",
        "required": True,
        "schema": {"type": "string", "minLength": 1, "maxLength": 10},
    }
    assert not limit["required"]
    assert limit["schema"] == {"type": "integer", "minimum": 1, "maximum": 1000, "default": 10}
    (path_parameter,) = document["paths"]["/things/{id}"]["get"]["parameters"]
    assert (path_parameter["name"], path_parameter["in"]) == ("id", "path")
    assert path_parameter["required"]


def test_bodies_are_described_by_the_types_that_validate_them(document):
    body = document["paths"]["/things"]["post"]["requestBody"]
    assert body["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Thing"}
    thing = document["components"]["schemas"]["Thing"]
    assert thing["required"] == ["name"]
    assert thing["properties"]["name"] == {"type": "string", "minLength": 1, "maxLength": 5}


def test_examples_are_made_of_what_properties_are_called():
    words = {"name": "ada", "seed": "abc", "Place.postcode": 7, "counts": {"a": 1}}
    document = openapi_document(ROUTES, title="Things", version="1")
    add_examples(document, words)
    validate(document)
    operation = document["paths"]["/things"]["post"]
    assert [each.get("example") for each in operation["parameters"]] == ["abc", None]
    thing = {"name": "ada", "place": {"postcode": 7, "tags": [1]}, "code": "abc", "counts": {"a": 1}}
    assert operation["requestBody"]["content"]["application/json"]["example"] == thing
    problem = operation["responses"]["503"]["content"]["application/problem+json"]["example"]
    assert (problem["status"], problem["title"]) == (503, "Service Unavailable")
    answers = document["paths"]["/things"]["get"]["responses"]["200"]["content"]
    assert answers["application/json"]["example"] == [thing]


def test_every_answer_is_described_with_its_headers(document):
    responses = document["paths"]["/things"]["post"]["responses"]
    assert set(responses) == {"201", "400", "408", "413", "415", "500", "503"}
    assert responses["201"]["headers"]["Location"]["description"] == "Where the thing is."
    assert responses["503"]["headers"]["Retry-After"]
    for status in set(responses) - {"201"}:
        content = responses[status]["content"]
        assert content == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    assert set(document["paths"]["/things/{id}"]["get"]["responses"]) == {"200", "400", "404", "500"}
    assert set(document["paths"]["/api-json"]["get"]["responses"]) == {"200", "500"}
