"""The description of the HTTP API (OpenAPI 3.1), made of the same records as its routes."""

import re
from collections.abc import Iterable
from typing import Any, Final

from pydantic.json_schema import models_json_schema

from byoid.message import Message
from byoid.relying_party.messages import ErrorAnswer
from verifier.routes import JSON, Operation

_SCHEMAS: Final = "#/components/schemas/{model}"
_PARAMETER: Final = re.compile(r"{(\w+)}")
_EVERYWHERE: Final = (413,)
_MEANINGS: Final = {
    200: "Done.",
    201: "Made.",
    204: "Done.",
    400: "The request is malformed, or was refused.",
    401: "No API key, or one that is not known.",
    403: "Not allowed: another browser session, or more than is registered.",
    404: "There is no such thing, for this caller.",
    409: "It was answered already, or changed at the same moment.",
    413: "The body is too large.",
    429: "Too many worthless answers. Try again a little later.",
}


def describe(operations: Iterable[Operation]) -> dict[str, Any]:
    """Return the OpenAPI document."""
    operations = tuple(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _describe(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": "byoid verifier", "version": "1", "description": "Ask for credentials, and get claims."},
        "paths": paths,
        "components": {
            "schemas": _schemas(operations),
            "securitySchemes": {"api_key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _describe(operation: Operation) -> dict[str, Any]:
    statuses = filter(None, (operation.status, operation.also))
    answers = {str(status): _answer(status, operation.answer) for status in statuses}
    refused = {*operation.errors, *_EVERYWHERE, *((401,) if operation.is_api else ())}
    answers |= {str(status): _answer(status, ErrorAnswer) for status in sorted(refused)}
    described: dict[str, Any] = {
        "operationId": operation.run.__name__,
        "summary": (operation.run.__doc__ or "").strip(),
        "parameters": _parameters(operation),
        "responses": answers,
    }
    if operation.is_api:
        described["security"] = [{"api_key": []}]
    if operation.body is not None:
        described["requestBody"] = {"required": True, "content": _content(operation.body)}
    return described


def _parameters(operation: Operation) -> list[dict[str, Any]]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(operation.path)
    ]
    return in_path + [{"name": name, "in": "query", "schema": schema} for name, schema in operation.query.items()]


def _answer(status: int, answer: type[Message] | str | None) -> dict[str, Any]:
    described: dict[str, Any] = {"description": _MEANINGS[status]}
    if answer is not None:
        described["content"] = _content(answer)
    return described


def _content(body: type[Message] | str) -> dict[str, Any]:
    if isinstance(body, str):
        form = {"type": "object", "additionalProperties": {"type": "string"}}
        return {body: {"schema": form if body.endswith("urlencoded") else {"type": "string"}}}
    return {JSON: {"schema": {"$ref": _SCHEMAS.format(model=body.__name__)}}}


def _schemas(operations: Iterable[Operation]) -> dict[str, Any]:
    named = {each for operation in operations for each in (operation.answer, operation.body)} | {ErrorAnswer}
    models = sorted((each for each in named if isinstance(each, type)), key=lambda each: each.__name__)
    _, schemas = models_json_schema([(each, "validation") for each in models], ref_template=_SCHEMAS)
    found: dict[str, Any] = schemas["$defs"]
    return found
