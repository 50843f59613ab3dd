"""Examples in the OpenAPI document, made of its schemas: Swagger UI sends them and shows them."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from tandem.http.problems import PROBLEM_JSON

Json = dict[str, Any]

_DEEPEST = 8
_MOMENT = "2026-01-02T03:04:05.678Z"
_OTHERS: Json = {"integer": 1, "number": 1.5, "boolean": True}


class Examples:
    """An example of each schema.

    Args:
        components: the schemas that others refer to, by name.
        words: what stands in a property of this name, such as `city`; of one schema, `Street.name`; or for
            the whole of one, `UserPatch`.
    """

    def __init__(self, components: Mapping[str, Json], words: Mapping[str, Any]) -> None:
        self._components = components
        self._words = words

    def of(self, schema: Json, name: str = "", owner: str = "", depth: int = 0) -> Any:
        """A value of this schema, for the property `name` of `owner`."""
        schema = _chosen(schema)
        if "$ref" in schema:
            owner = str(schema["$ref"]).rpartition("/")[2]
            if owner in self._words:
                return self._words[owner]
            return self._object(self._components[owner], owner, depth)
        for word in (f"{owner}.{name}", name):
            if word in self._words:
                return self._words[word]
        return self._made(schema, name, owner, depth)

    def _made(self, schema: Json, name: str, owner: str, depth: int) -> Any:
        for known in (schema.get("examples"), schema.get("enum")):
            if known:
                return known[0]
        match schema.get("type"):
            case "object":
                return self._object(schema, owner, depth)
            case "array":
                items = schema.get("items")
                return [self.of(items, name, owner, depth + 1)] if items and depth < _DEEPEST else []
            case "string":
                return _MOMENT if name.endswith("At") else name
            case kind:
                return max(_OTHERS.get(str(kind), 1), schema.get("minimum", 0))

    def _object(self, schema: Json, owner: str, depth: int) -> Json:
        properties = schema.get("properties", {}) if depth < _DEEPEST else {}
        return {name: self.of(each, name, owner, depth + 1) for name, each in properties.items()}


def _chosen(schema: Json) -> Json:
    """Of several schemas the one that says most: an object of ours, else the first that is not null."""
    choices = [
        each for each in (*schema.get("anyOf", ()), *schema.get("oneOf", ())) if each != {"type": "null"}
    ]
    return next((each for each in choices if "$ref" in each), choices[0]) if choices else schema


def add_examples(document: Json, words: Mapping[str, Any]) -> None:
    """Put an example into each required parameter, each body and each answer of an OpenAPI document."""
    examples = Examples(document["components"]["schemas"], words)
    for operation in (each for path in document["paths"].values() for each in path.values()):
        for parameter in operation.get("parameters", ()):
            if parameter["required"] and parameter["name"] in words:
                parameter["example"] = words[parameter["name"]]
        _fill(operation.get("requestBody", {}), examples)
        for status, answer in operation["responses"].items():
            _fill(answer, examples, int(status))


def _fill(body: Json, examples: Examples, status: int = 0) -> None:
    # Each has an object of its own: problems of several operations are one in Python.
    content = {kind: dict(each) for kind, each in body.get("content", {}).items()}
    for kind, each in content.items():
        if "schema" in each and "json" in kind:
            example = each["example"] = examples.of(each["schema"])
            if kind == PROBLEM_JSON:
                example |= {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    if content:
        body["content"] = content
