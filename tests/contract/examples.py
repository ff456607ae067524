"""Bodies made from the document's schemas: a small valid one, and every way to spoil one of its members."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.contract.described import described

JSON = "application/json"
SURROGATE = "\ud800"
DEPTH = 200

Schema = Mapping[str, Any]


def opened(schema: Schema) -> Schema:
    """A schema itself, or what it refers to; of several kinds the first that is not null."""
    if "$ref" in schema:
        return opened(described()["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    for word in ("anyOf", "oneOf"):
        if word in schema and "properties" not in schema:
            kinds = [one for one in schema[word] if one.get("type") != "null"]
            return opened(kinds[0])
    return schema


def body_schema(operation: Schema) -> Schema | None:
    """The schema of an operation's JSON body."""
    contents = operation.get("requestBody", {}).get("content", {})
    return opened(contents[JSON]["schema"]) if JSON in contents else None


def example(schema: Schema) -> Any:
    """A small value that the schema allows."""
    schema = opened(schema)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    if "examples" in schema:
        return schema["examples"][0]
    match schema.get("type"):
        case "string":
            words = schema.get("pattern", "").strip("^$").strip("()").split("|")
            return words[0] if words[0].isalpha() else "x" * max(2, schema.get("minLength", 0))
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return False
        case "array":
            return [example(schema["items"])] * schema.get("minItems", 0)
        case "object":
            either = schema.get("anyOf", [{}])[0].get("required", [])
            wanted = [*schema.get("required", []), *either]
            return {name: example(schema["properties"][name]) for name in wanted}
        case _:
            return {}


def members(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """The members of a body."""
    yield from opened(schema).get("properties", {}).items()


def kinds(schema: Schema) -> set[str]:
    """The JSON types that a member may have; empty for any."""
    if "$ref" in schema:
        return kinds(opened(schema))
    found: set[str] = set()
    for one in [*schema.get("anyOf", []), *schema.get("oneOf", [])]:
        found |= kinds(one)
    own = schema.get("type")
    values = [schema["const"]] if "const" in schema else schema.get("enum", [])
    return found | ({own} if own else set()) | {"string" for value in values if isinstance(value, str)}


def wrong(schema: Schema) -> Any:
    """A value of a type that a member does not have; None when it has them all."""
    known = kinds(schema)
    if not known:
        return None
    return {"wrong": 1} if "object" not in known else 7


def deep() -> bytes:
    """An array in an array, and so on."""
    return b"[" * DEPTH + b"]" * DEPTH
