"""Untrusted input to pydantic models, and every way it can be wrong to a 422 list in FastAPI's shape."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import orjson
from pydantic import BaseModel, ValidationError

from omnigent.errors import ErrorCode, OmnigentError

Model = TypeVar("Model", bound=BaseModel)
Detail = list[dict[str, Any]]
Path = tuple[str | int, ...]

MAX_DEPTH = 64
MAX_PROBLEMS = 100
MAX_ECHO = 4096
MAX_QUERY_FIELDS = 200
NUL = "\0"


class ValidationFailed(OmnigentError):
    """422; `detail` lists the problems, each with `type`, `loc`, `msg`, `input` and sometimes `ctx`."""

    def __init__(self, problems: Detail) -> None:
        super().__init__(ErrorCode.INVALID_INPUT, summary(problems), status=422, detail=problems)


def parse(model: type[Model], raw: bytes) -> Model:
    """The request body as a model. Raises `ValidationFailed`."""
    return validate(model, load_json(raw), where="body")


def parse_query(model: type[Model], query_string: bytes | str) -> Model:
    """The query string as a model; of a repeated parameter the last one counts."""
    text = query_string.decode("latin-1") if isinstance(query_string, bytes) else query_string
    try:
        values = dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS))
    except ValueError:
        raise ValidationFailed([problem("too_long", ("query",), "Too many query parameters")]) from None
    refuse_nul(values, where="query")
    return validate(model, values, where="query")


def validate(model: type[Model], value: object, *, where: str) -> Model:
    """Validate parsed JSON; `where` opens every `loc`."""
    try:
        # Like FastAPI, so that a body that is no object is reported as `model_attributes_type`.
        return model.model_validate(value, from_attributes=True)
    except ValidationError as exc:
        raise ValidationFailed(problems_of(exc, where)) from None


def load_json(raw: bytes) -> Any:
    """Parse a body that must be JSON: valid UTF-8, no lone surrogate, no NUL, not nested too deeply."""
    if not raw.strip():
        raise ValidationFailed([problem("missing", ("body",), "Field required")])
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as exc:
        raise ValidationFailed([malformed(exc.pos, exc.msg)]) from None
    if raw.count(b"[") + raw.count(b"{") > MAX_DEPTH and is_too_deep(value):
        raise ValidationFailed([malformed(0, f"nested deeper than {MAX_DEPTH} levels")])
    # In JSON a NUL can only be written as an escape, which spares most bodies the walk.
    if b"\\u0000" in raw:
        refuse_nul(value, where="body")
    return value


def refuse_nul(value: object, *, where: str) -> None:
    """No database can store a NUL in text, so it is refused where it comes in."""
    problems = [
        problem("value_error", (where, *path), "Value error, text must not contain NUL characters", text)
        for path, text in texts(value)
        if NUL in text
    ]
    if problems:
        raise ValidationFailed(problems[:MAX_PROBLEMS])


def texts(value: object) -> Iterator[tuple[Path, str]]:
    """Every string inside a JSON value, keys included, with the path to it."""
    waiting: list[tuple[Path, object]] = [((), value)]
    while waiting:
        path, current = waiting.pop()
        if isinstance(current, str):
            yield path, current
        elif isinstance(current, Mapping):
            for key, member in current.items():
                yield (*path, key), key
                waiting.append(((*path, key), member))
        elif isinstance(current, list):
            waiting.extend(((*path, index), member) for index, member in enumerate(current))


def is_too_deep(value: object) -> bool:
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH + 1:
            return True
        level = [
            member
            for container in level
            for member in (
                container.values()
                if isinstance(container, dict)
                else container
                if isinstance(container, list)
                else ()
            )
        ]
    return False


def problems_of(exc: ValidationError, where: str) -> Detail:
    problems: Detail = []
    for error in exc.errors(include_url=False)[:MAX_PROBLEMS]:
        entry = problem(error["type"], (where, *error["loc"]), error["msg"], error["input"])
        if error["type"] == "missing":
            entry["input"] = None
        if context := error.get("ctx"):
            entry["ctx"] = {key: echo(plain(member)) for key, member in context.items()}
        problems.append(entry)
    return problems


def problem(kind: str, loc: Path, message: str, value: object = None) -> dict[str, Any]:
    return {"type": kind, "loc": list(loc), "msg": message, "input": echo(value)}


def malformed(position: int, reason: str) -> dict[str, Any]:
    return {
        "type": "json_invalid",
        "loc": ["body", position],
        "msg": "JSON decode error",
        "input": {},
        "ctx": {"error": reason},
    }


def plain(value: object) -> object:
    return str(value) if isinstance(value, BaseException) else value


def echo(value: object) -> object:
    """What the client sent, sent back as long as it is short and can be written as JSON."""
    try:
        encoded = orjson.dumps(value)
    except (TypeError, ValueError):
        return None
    return value if len(encoded) <= MAX_ECHO else None


def summary(problems: Detail) -> str:
    first = problems[0]
    place = ".".join(str(part) for part in first["loc"])
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{place}: {first['msg']}{more}"
