"""A form's fields made of a handler's parameter schema, and the parameters made of what was typed in.

The fields only find out what was meant; whether it fits is said by the schema, in the services' words.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

import orjson
from django import forms

from omnigent.api.validation import refuse_nul
from omnigent.errors import OmnigentError
from omnigent.policies.registry import Entry

PREFIX = "param-"
LONG = 60
QUOTED = re.compile(r"'([^'.\[]+)")
MOST_EXACT = 2**53
"""Beyond this not every integer is the same number in every JSON reader."""
LEFT_OUT = object()
"""Stands for a parameter that is not given."""

Json = Mapping[str, Any]


class JsonField(forms.CharField):
    """Any JSON value."""

    widget = forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "class": "code"})

    def to_python(self, value: Any) -> Any:  # what the browser sent
        text = super().to_python(value)
        if not text:
            return LEFT_OUT
        try:
            value = orjson.loads(text)
            refuse_nul(value, where="value")
        except orjson.JSONDecodeError as error:
            raise forms.ValidationError(f"This is not JSON: {error}.") from None
        except OmnigentError as error:
            raise forms.ValidationError(error.message) from None
        return value

    def prepare_value(self, value: Any) -> Any:  # any JSON value, or what the browser sent
        return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


class LinesField(forms.CharField):
    """A list, one member to a line."""

    widget = forms.Textarea(attrs={"rows": 4, "spellcheck": "false", "class": "code"})

    def __init__(self, *, read: Callable[[str], Any], **options: Any) -> None:
        super().__init__(**options)
        self.read = read

    def to_python(self, value: Any) -> Any:  # what the browser sent
        lines = (line.strip() for line in (super().to_python(value) or "").splitlines())
        return [self.read(line) for line in lines if line]

    def prepare_value(self, value: Any) -> Any:  # a list, or what the browser sent
        return "\n".join(str(member) for member in value) if isinstance(value, list) else value


class NumberField(forms.FloatField):
    """A number, whole when it was written so."""

    def to_python(self, value: Any) -> Any:  # what the browser sent
        number = super().to_python(value)
        return None if number is None else _whole(number)


def fields_of(entry: Entry) -> dict[str, forms.Field]:
    """The fields, by their names in the form."""
    found = {}
    for name, schema in _properties(entry).items():
        field = _field(schema)
        field.label = name
        field.required = False
        field.widget.is_required = False
        field.help_text = _help(schema)
        field.initial = schema.get("default")
        field.is_needed = name in entry.params_schema.get("required", ()) and "default" not in schema  # type: ignore[attr-defined]  # for the template
        found[PREFIX + name] = field
    return found


def initial_of(entry: Entry, params: Json | None) -> dict[str, Any]:
    """What the fields show of stored parameters; defaults where there is none."""
    known = {name: schema.get("default") for name, schema in _properties(entry).items()} | dict(params or {})
    return {PREFIX + name: value for name, value in known.items() if value is not None}


def params_of(entry: Entry, cleaned: Json) -> dict[str, Any]:
    """The parameters that were typed in."""
    found = {}
    for name, schema in _properties(entry).items():
        value = _given(cleaned.get(PREFIX + name, LEFT_OUT), schema)
        if value is not LEFT_OUT:
            found[name] = value
    return found


def field_named(words: str, names: Mapping[str, Any]) -> str | None:
    """The field that a sentence about parameters is about; None when it is about all of them."""
    for name in QUOTED.findall(words):
        if PREFIX + name in names:
            return PREFIX + str(name)
    return None


def _properties(entry: Entry) -> dict[str, Json]:
    properties: dict[str, Json] = entry.params_schema.get("properties") or {}
    return properties


def _given(value: Any, schema: Json) -> Any:  # any JSON value
    """What an empty field means: nothing was given, unless there was a default to be emptied."""
    if value is None or value is LEFT_OUT:
        return LEFT_OUT
    if value in ("", []) and not schema.get("default"):
        return LEFT_OUT
    return value


def _field(schema: Json) -> forms.Field:
    kind = _kind(schema)
    if "enum" in schema and all(isinstance(one, str) for one in schema["enum"]):
        blank = [] if "default" in schema else [("", "—")]
        return forms.ChoiceField(choices=[*blank, *((one, one) for one in schema["enum"])])
    if kind == "boolean":
        return _flag(schema)
    if kind == "integer":
        return forms.IntegerField(min_value=-MOST_EXACT, max_value=MOST_EXACT)
    if kind == "number":
        return NumberField()
    if kind == "string":
        is_long = len(str(schema.get("default") or "")) > LONG or "default" not in schema
        widget = forms.Textarea(attrs={"rows": 3}) if is_long else forms.TextInput()
        return forms.CharField(widget=widget)
    if kind == "array":
        return _list(schema.get("items") or {})
    return JsonField()


def _flag(schema: Json) -> forms.Field:
    if "default" in schema:
        return forms.BooleanField()
    words = [("", "—"), ("true", "yes"), ("false", "no")]
    return forms.TypedChoiceField(choices=words, coerce=lambda word: word == "true", empty_value=None)


def _list(items: Json) -> forms.Field:
    kind = _kind(items)
    if kind == "string" and "enum" in items:
        return forms.MultipleChoiceField(
            choices=[(one, one) for one in items["enum"]], widget=forms.CheckboxSelectMultiple
        )
    if kind == "string":
        return LinesField(read=str)
    if kind in ("number", "integer"):
        return LinesField(read=_number)
    return JsonField()


def _kind(schema: Json) -> str:
    """The type, when there is one besides null; else empty."""
    kinds = schema.get("type")
    named = [kind for kind in ([kinds] if isinstance(kinds, str) else kinds or ()) if kind != "null"]
    return str(named[0]) if len(named) == 1 else ""


def _help(schema: Json) -> str:
    words = str(schema.get("description") or "")
    hints = {"array": "One to a line.", "object": "As JSON."}
    kind = _kind(schema)
    items = schema.get("items") or {}
    hint = "As JSON." if isinstance(_field(schema), JsonField) else hints.get(kind, "")
    return f"{words} {hint}".strip() if "enum" not in items else words


def _number(text: str) -> int | float:
    try:
        number = float(text)
    except ValueError:
        raise forms.ValidationError(f"'{text[:40]}' is not a number.") from None
    if not math.isfinite(number):
        raise forms.ValidationError(f"'{text[:40]}' is not a number.")
    return _whole(number)


def _whole(number: float) -> int | float:
    """As an integer where that is the same number."""
    return int(number) if number.is_integer() and abs(number) <= MOST_EXACT else number
