"""The OpenAPI document as an oracle: whether an answer is one that it names."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any
from urllib.parse import unquote

import orjson
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from omnigent.api.schema.document import document

ROOT = "urn:document"


@cache
def described() -> Mapping[str, Any]:
    """The document, parsed."""
    found: Mapping[str, Any] = orjson.loads(document())
    return found


@cache
def patterns() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Every path as an expression; those with fewer names in them first."""
    paths = sorted(described()["paths"], key=lambda path: path.count("{"))
    return tuple((pattern(path), path) for path in paths)


def pattern(path: str) -> re.Pattern[str]:
    """A template's expression. User ids and paths may hold slashes."""
    parts = re.split(r"(\{\w+\})", path)
    names = {"{user_id}": ".+", "{path}": ".+"}
    return re.compile(
        "".join(names.get(part, "[^/]+") if part[:1] == "{" else re.escape(part) for part in parts)
    )


def template_of(path: str) -> str | None:
    """The documented path that a request's path stands for."""
    return next((template for expression, template in patterns() if expression.fullmatch(path)), None)


@cache
def registry() -> Any:
    """Where references into the document are looked up."""
    return Registry().with_resource(ROOT, DRAFT202012.create_resource(dict(described())))


@cache
def validator(place: tuple[str, ...]) -> Draft202012Validator:
    """A validator of the schema at this place of the document."""
    pointer = "/".join(part.replace("~", "~0").replace("/", "~1") for part in place)
    return Draft202012Validator({"$ref": f"{ROOT}#/{pointer}"}, registry=registry())


def complaints(method: str, path: str, status: int, content_type: str, content: bytes) -> Iterator[str]:
    """What the document does not say of this answer; nothing for paths that it does not name."""
    template = template_of(unquote(path))
    operation = described()["paths"].get(template, {}).get(method.lower())
    if template is None or operation is None:
        return
    where = f"{method} {template} -> {status}"
    answer = operation["responses"].get(str(status))
    if answer is None:
        yield f"{where} is not documented"
        return
    contents = answer.get("content", {})
    media = content_type.partition(";")[0].strip()
    if not contents:
        if content:
            yield f"{where} has a body"
        return
    known = media if media in contents else "*/*"
    if known not in contents:
        yield f"{where}: {media!r} is not documented"
    elif known == "application/json":
        place = ("paths", template, method.lower(), "responses", str(status), "content", known, "schema")
        yield from (
            f"{where}: {words(error)}" for error in validator(place).iter_errors(orjson.loads(content))
        )


def words(error: Any) -> str:  # jsonschema's error, which is untyped
    """An error and the place that it is about; of unions the closest member's."""
    inner = (
        f" [{min(error.context, key=lambda one: len(one.absolute_path)).message[:300]}]"
        if error.context
        else ""
    )
    return f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}{inner}"
