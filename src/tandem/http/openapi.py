"""The OpenAPI 3.1 document, made of the same routes and types that serve and validate."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import msgspec

from tandem.http.examples import add_examples
from tandem.http.problems import PROBLEM_JSON, Problem
from tandem.http.requests import EVENT_STREAM, JSON, Request, Response
from tandem.http.routes import Route

Json = dict[str, Any]

_ALWAYS = (500,)
_WITH_ARGUMENTS = (400,)
_WITH_BODY = (400, 408, 413, 415)
_SCOPES = "A JSON Web Token whose claim `scope` names scopes: `command`, `query`, `feed`, `operator`."


def openapi_route(  # noqa: PLR0913
    routes: Iterable[Route],
    *,
    title: str,
    version: str,
    description: str = "",
    locked: bool = False,
    words: Mapping[str, Any] | None = None,
) -> Route:
    """`GET /api-json`: the document of `routes` and of itself.

    `locked` if they require access tokens; `words` are what examples are made of (`http.examples`).
    """

    async def answer(_: Request[Any, Any, Any]) -> Response:
        return Response(200, document)

    answers = {200: dict[str, Any]}
    route = Route(
        "GET", "/api-json", answer, "This document", responses=answers, tag="documentation", scope=None
    )
    whole = openapi_document([*routes, route], title=title, version=version, description=description)
    if locked:
        _lock(whole, [*routes, route])
    if words:
        add_examples(whole, words)
    document = msgspec.json.encode(whole)
    return route


def openapi_document(routes: Sequence[Route], *, title: str, version: str, description: str = "") -> Json:
    """The document as JSON-like Python."""
    documented = [route for route in routes if route.documented]
    schemas = _Schemas(documented)
    paths: dict[str, Json] = {}
    for route in documented:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, schemas)
    tags = dict.fromkeys(route.tag for route in documented if route.tag)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": description},
        "paths": paths,
        "tags": [{"name": tag} for tag in tags],
        "components": {"schemas": schemas.components},
    }


def _lock(document: Json, routes: Iterable[Route]) -> None:
    """Say which routes require an access token, with which scope, and how they refuse a request."""
    document["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": _SCOPES}
    }
    problem = {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    challenge = {"WWW-Authenticate": _header("What is required (RFC 6750).")}
    for route in routes:
        if route.documented and route.scope is not None:
            operation = document["paths"][route.path][route.method.lower()]
            operation["security"] = [{"token": [route.scope]}]
            for status in (401, 403):
                refusal = {**_response(route, status, problem), "headers": challenge}
                operation["responses"][str(status)] = refusal


class _Schemas:
    """The schema of every type that the routes name; structs live in `components` and are referred to."""

    def __init__(self, routes: Iterable[Route]) -> None:
        arguments: list[Any] = []
        bodies: list[Any] = [Problem]
        for route in routes:
            arguments += [route.path_type, route.query_type]
            bodies += [
                wanted for wanted in (route.body_type, *_each(route.responses.values())) if wanted is not None
            ]
        types = list({repr(wanted): wanted for wanted in (*arguments, *bodies)}.values())
        schemas, self.components = msgspec.json.schema_components(
            types, ref_template="#/components/schemas/{name}"
        )
        self._schemas = {repr(wanted): schema for wanted, schema in zip(types, schemas, strict=True)}
        # Arguments are documented one by one, as parameters.
        self._arguments = {
            key: self.components.pop(_name(self._schemas[key])) for key in dict.fromkeys(map(repr, arguments))
        }

    def of(self, wanted: Any) -> Json:
        """The schema to write where a value of this type stands."""
        return self._schemas[repr(wanted)]

    def parameters(self, wanted: type, place: str) -> list[Json]:
        """The fields of a path or query type."""
        schema = self._arguments[repr(wanted)]
        required = schema.get("required", ())
        return [
            _parameter(name, place, field, required=name in required)
            for name, field in schema.get("properties", {}).items()
        ]


def _name(schema: Json) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _parameter(name: str, place: str, schema: Json, *, required: bool) -> Json:
    # A client gives a parameter a value or leaves it out. That its field may then be None is our own matter.
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        schema = {**schema, **kinds[0]}
        del schema["anyOf"]
    schema = {key: value for key, value in schema.items() if not (key == "default" and value is None)}
    parameter: Json = {"name": name, "in": place, "required": required, "schema": schema}
    if "description" in schema:
        parameter["description"] = schema.pop("description")
    if "examples" in schema:
        # Swagger UI sends every example, and one of what may be left out would change the answer.
        such = schema.pop("examples")[0]
        parameter["description"] = f"{parameter.get('description', '')} Such as `{such}`.".strip()
    return parameter


def _operation(route: Route, schemas: _Schemas) -> Json:
    parameters = schemas.parameters(route.path_type, "path") + schemas.parameters(route.query_type, "query")
    parameters += [
        {
            "name": name,
            "in": "header",
            "required": False,
            "description": sentence,
            "schema": {"type": "string"},
        }
        for name, sentence in route.request_headers.items()
    ]
    body = None
    if route.body_type is not None:
        schema = {"schema": schemas.of(route.body_type)}
        body = {"required": True, "content": dict.fromkeys(route.body_media_types, schema)}
    operation = {
        "summary": route.summary,
        "operationId": _operation_id(route),
        "responses": _responses(route, schemas, has_arguments=bool(parameters)),
        "tags": [route.tag] if route.tag else None,
        "description": _description(route),
        "parameters": parameters,
        "requestBody": body,
    }
    return {name: value for name, value in operation.items() if value}


def _description(route: Route) -> str:
    if route.media_type != EVENT_STREAM:
        return route.description
    return (
        f"{route.description}\n\nThis answer never ends, so Execute would wait for ever here. Watch it in a "
        f"terminal: `curl -N 'http://127.0.0.1:8080{route.path}?seed=try-it-out'`."
    )


def _operation_id(route: Route) -> str:
    words = route.path.replace("{", "").replace("}", "").replace("/", " ").replace("-", " ").split()
    return "_".join([route.method.lower(), *words]).replace(".", "_")


def _responses(route: Route, schemas: _Schemas, *, has_arguments: bool) -> Json:
    responses = {}
    for status, wanted in route.responses.items():
        schema = wanted and _sent_as(route, _either([schemas.of(one) for one in _each([wanted])]))
        content = {route.media_type: {"schema": schema}} if schema else {}
        responses[str(status)] = _response(route, status, content)
    problems = {*route.problems, *_ALWAYS}
    problems.update(_WITH_ARGUMENTS if has_arguments else (), _WITH_BODY if route.body_type else ())
    for status in sorted(problems):
        responses[str(status)] = _response(route, status, {PROBLEM_JSON: {"schema": schemas.of(Problem)}})
    return responses


def _each(wanted: Iterable[Any]) -> Iterator[Any]:
    """The types in it, and those of its tuples, of which an answer has one."""
    for one in wanted:
        yield from one if isinstance(one, tuple) else (one,)


def _either(schemas: Sequence[Json]) -> Json:
    return schemas[0] if len(schemas) == 1 else {"oneOf": list(schemas)}


def _sent_as(route: Route, schema: Json) -> Json:
    """The schema of what is sent. A stream sends events, and the `data` of each has the answer as text."""
    if route.media_type != EVENT_STREAM:
        return schema
    data = {"type": "string", "contentMediaType": JSON, "contentSchema": schema}
    return {"type": "object", "properties": {"data": data}, "required": ["data"]}


def _response(route: Route, status: int, content: Json) -> Json:
    headers = {name: _header(sentence) for name, sentence in route.headers.get(status, {}).items()}
    response = {"description": HTTPStatus(status).phrase, "content": content, "headers": headers}
    return {name: value for name, value in response.items() if value}


def _header(sentence: str) -> Json:
    return {"description": sentence, "schema": {"type": "string"}}
