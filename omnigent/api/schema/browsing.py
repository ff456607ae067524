"""The document as chapters of operations, for the page that shows it."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson

from omnigent.api.schema.document import document
from omnigent.api.schema.models import Schema


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """A body or an answer: its media type, and its schema to read. `status` is empty for a request."""

    status: str
    words: str
    media: str
    schema: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One method of one path."""

    anchor: str
    method: str
    path: str
    summary: str
    description: str
    parameters: Sequence[Mapping[str, Any]]
    bodies: Sequence[Content]
    answers: Sequence[Content]


@cache
def chapters() -> tuple[tuple[str, tuple[Operation, ...]], ...]:
    """The operations by subject, in the order of their paths."""
    whole: Schema = orjson.loads(document())
    found: dict[str, list[Operation]] = defaultdict(list)
    for path, methods in whole["paths"].items():
        for method, operation in methods.items():
            found[operation["tags"][0]].append(operation_of(path, method, operation, whole))
    return tuple((tag, tuple(found[tag])) for tag in sorted(found))


def operation_of(path: str, method: str, operation: Schema, whole: Schema) -> Operation:
    answers = [
        content
        for status, answer in operation["responses"].items()
        for content in contents(answer, whole, status=status)
    ]
    return Operation(
        anchor=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation.get("summary", ""),
        description=operation.get("description", ""),
        parameters=[
            {**one, "kind": kind_of(one.get("schema", {}))} for one in operation.get("parameters", [])
        ],
        bodies=contents(operation.get("requestBody", {}), whole),
        answers=answers,
    )


def contents(part: Schema, whole: Schema, *, status: str = "") -> list[Content]:
    """The contents of a body or answer; of errors the schema is not repeated."""
    words = part.get("description", "")
    if status >= "4" or not part.get("content"):
        return [Content(status=status, words=words, media="", schema="")] if status else []
    return [
        Content(
            status=status, words=words, media=media, schema=readable(opened(content.get("schema", {}), whole))
        )
        for media, content in part["content"].items()
    ]


def opened(schema: Schema, whole: Schema) -> Schema:
    """A reference's target."""
    name = schema.get("$ref", "").rpartition("/")[2]
    target: Schema = whole["components"]["schemas"][name] if name else schema
    return target


def readable(schema: Schema) -> str:
    return orjson.dumps(schema, option=orjson.OPT_INDENT_2).decode()


def kind_of(schema: Schema) -> str:
    """A parameter's type in a word or two."""
    kind = schema.get("type", "")
    return str(kind) if "enum" not in schema else " | ".join(map(str, schema["enum"]))
