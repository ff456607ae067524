"""The decorator by which a view's method says what it takes and what it answers."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from pydantic import BaseModel

from omnigent.api.schema.models import Schema, schema_of
from omnigent.api.schema.shapes import ErrorAnswer, InvalidAnswer

F = TypeVar("F", bound=Callable[..., Any])

JSON = "application/json"
MULTIPART = "multipart/form-data"
EVENT_STREAM = "text/event-stream"
INVALID = 422
REFUSALS: Mapping[int, str] = {
    400: "The request is not acceptable.",
    401: "The caller is not known.",
    403: "The caller may not do this.",
    404: "There is no such thing, or none that the caller may know of.",
    408: "The body did not arrive in time.",
    409: "What is there already stands against it, or a request with this key is under way.",
    410: "Something that it needs is gone for good.",
    412: "What the request builds on is not so: the harness is not set up, or the thing has changed.",
    413: "The body is too large.",
    415: "The body's type is not supported.",
    416: "The file has nothing of that range.",
    422: "The request does not validate.",
    426: "This address is for WebSockets.",
    428: "The request must say which version it changes.",
    429: "Too many attempts.",
    499: "The work was cancelled.",
    500: "The conversation could not be compacted.",
    502: "A host or runner gave an answer that makes no sense.",
    503: "No runner or host is connected.",
    504: "A host or runner did not answer in time.",
}
CURSORS = frozenset({"after", "before", "cursor"})
WRITES = frozenset({"post", "put", "patch", "delete"})
KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    description="The same key and body gets the first answer again.",
)
Answers = Mapping[int, Any] | type[BaseModel] | Schema


def describes(
    answers: Answers | None,
    *,
    body: Any = None,
    query: type[BaseModel] | None = None,
    headers: Iterable[OpenApiParameter] = (),
    refuses: Iterable[int] = (),
    media: str | tuple[str, ...] = JSON,
    is_keyed: bool | None = None,
) -> Callable[[F], F]:
    """Describe a method.

    `answers` is the model or JSON schema of its 200, or all its good answers by status, None for one without
    a body; an error among them replaces the usual one. `media` is their type, or types. `body` is a model, or
    a mapping from media types to models and schemas. `refuses` names errors that do not follow from the rest.
    Writes take an idempotency key unless `is_keyed` is false.
    """

    def decorate(method: F) -> F:
        keyed = method.__name__ in WRITES if is_keyed is None else is_keyed
        parameters = [*parameters_of(query), *headers, *([KEY] if keyed else [])]
        codes = {400, 403, *refuses}
        codes |= {409} if keyed else set()
        codes |= {INVALID} if keyed or query or body else set()
        codes |= {404} if CURSORS.intersection(one.name for one in parameters) else set()
        codes |= {408} if method.__name__ in WRITES else set()
        responses: dict[Any, Any] = {**refusals(codes), **good(answers, media)}
        described: F = extend_schema(parameters=parameters, request=asked(body), responses=responses)(method)
        return described

    return decorate


def good(answers: Answers | None, media: str | tuple[str, ...]) -> dict[Any, Any]:
    """The good answers by (status, media type)."""
    is_table = isinstance(answers, Mapping) and all(isinstance(status, int) for status in answers)
    types = (media,) if isinstance(media, str) else media
    table: Mapping[int, Any] = answers if is_table else {200: answers}  # type: ignore[assignment]  # told apart
    return {
        status if answer is None else (status, *types): OpenApiResponse(answer, description=WORDS[status])
        for status, answer in table.items()
    }


WORDS: Mapping[int, str] = {
    **REFUSALS,
    101: "The WebSocket is open.",
    200: "Done.",
    201: "Made.",
    202: "Taken and committed.",
    204: "Done; there is nothing to say.",
    206: "A part of the bytes.",
    304: "The caller has it already.",
}


def refusals(codes: Iterable[int]) -> dict[Any, Any]:
    """Error answers by status; they are JSON whatever the good ones are."""
    return {
        (status, JSON): OpenApiResponse(
            InvalidAnswer if status == INVALID else ErrorAnswer, description=REFUSALS[status]
        )
        for status in sorted(codes)
    }


def asked(body: Any) -> Any:
    if body is None or isinstance(body, Mapping):
        return body
    return {JSON: body}


def parameters_of(query: type[BaseModel] | None) -> list[OpenApiParameter]:
    """A query string's model as parameters. In a query nothing can be null; it is left out."""
    if query is None:
        return []
    schema = schema_of(query)
    required = schema.get("required", [])
    return [
        OpenApiParameter(name, without_null(part), OpenApiParameter.QUERY, required=name in required)
        for name, part in schema.get("properties", {}).items()
    ]


def without_null(schema: Schema) -> Schema:
    rest = {key: value for key, value in schema.items() if key not in ("anyOf", "default")}
    kinds = [one for one in schema.get("anyOf", []) if one != {"type": "null"}]
    if schema.get("default") is not None:
        rest["default"] = schema["default"]
    return {**rest, **(kinds[0] if len(kinds) == 1 else {"anyOf": kinds} if kinds else {})}
