"""Whether parameters fit a handler, in words a person can act on."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from referencing import Registry as SchemaDocuments
from referencing.exceptions import Unresolvable

from omnigent.policies.registry import Entry

Json = dict[str, Any]


def problems(entry: Entry, params: Mapping[str, Any] | None) -> list[str]:
    """What is wrong with the parameters of an entry; empty when the handler can be built from them.

    A required parameter with a default may be left out. A factory without a schema takes anything.
    """
    given = dict(params or {})
    if entry.kind == "callable":
        return [f"{entry.handler} takes no parameters"] if given else []
    if not entry.params_schema:
        return []
    try:
        # A schema from elsewhere is never fetched: it does not resolve, and that is a problem.
        validator = _Validator(_at_the_top(entry.params_schema), registry=SchemaDocuments())
        found = list(validator.iter_errors(given))
    except Unresolvable as error:
        return [f"the schema of {entry.handler} refers to {error.ref!r}, which is unknown"]
    except RecursionError:
        return ["parameters are nested too deeply"]
    return list(dict.fromkeys(text for error in found for text in _in_words(error)))


def _at_the_top(schema: Json) -> Json:
    """The schema with unknown parameters refused and defaults filling what is required."""
    properties = schema.get("properties") or {}
    required = [
        name for name in schema.get("required") or () if "default" not in (properties.get(name) or {})
    ]
    return {"type": "object", "additionalProperties": False, **schema, "required": required}


def _is_integer(_checker: object, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_checker: object, value: object) -> bool:
    return _is_integer(_checker, value) or (isinstance(value, float) and math.isfinite(value))


# JSON Schema lets 3.0 pass for an integer; a handler that slices with it would not.
_Validator = extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer).redefine(
        "number", _is_number
    ),
)


def _in_words(error: ValidationError) -> Iterable[str]:
    known, wanted = error.validator, error.validator_value
    where = error.json_path.removeprefix("$").removeprefix(".")
    if known == "additionalProperties" and isinstance(error.schema, Mapping):
        owner = f" in '{where}'" if where else ""
        names = [name for name in error.instance if name not in (error.schema.get("properties") or {})]
        yield from (f"unknown parameter '{name}'{owner}" for name in names)
    elif known == "required":
        owner = f"'{where}' requires" if where else "requires"
        yield from (f"{owner} '{name}'" for name in wanted if name not in error.instance)
    else:
        yield f"'{where}' {_rule(error)}" if where else _rule(error)


def _rule(error: ValidationError) -> str:
    """What the value must be, without repeating the value, which may be long or secret."""
    wanted = error.validator_value
    if error.validator == "anyOf" and all(set(form) == {"required"} for form in wanted):
        return f"requires {_listed([' and '.join(form['required']) for form in wanted], quote=True)}"
    words = {
        "type": f"must be {_listed(wanted)}",
        "enum": f"must be one of {_listed(wanted, quote=True)}",
        "const": f"must be {wanted!r}",
        "minimum": f"must be at least {wanted}",
        "maximum": f"must be at most {wanted}",
        "exclusiveMinimum": f"must be greater than {wanted}",
        "exclusiveMaximum": f"must be less than {wanted}",
        "multipleOf": f"must be a multiple of {wanted}",
        "minItems": f"must have at least {wanted} items",
        "maxItems": f"must have at most {wanted} items",
        "minLength": f"must have at least {wanted} characters",
        "maxLength": f"must have at most {wanted} characters",
        "minProperties": f"must have at least {wanted} entries",
        "maxProperties": f"must have at most {wanted} entries",
        "uniqueItems": "must not repeat an item",
        "pattern": f"must match {wanted}",
        "anyOf": "fits none of its allowed forms",
        "oneOf": "must fit exactly one of its allowed forms",
    }
    return words.get(str(error.validator), f"does not meet {error.validator!r}")


def _listed(value: object, *, quote: bool = False) -> str:
    items = value if isinstance(value, list) else [value]
    return " or ".join(repr(item) if quote else str(item) for item in items)
