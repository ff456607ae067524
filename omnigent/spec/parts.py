"""The blocks of an agent document that govern it: policies and labels."""

from typing import Any

from omnigent.spec.reader import Reader, kind
from omnigent.spec.types import LabelDecl, PolicyDecl

PROMPT_POLICY = "omnigent.policies.builtins.prompt.prompt_policy"


def policies(read: Reader, *, prompts: bool = True) -> tuple[PolicyDecl, ...]:
    """The `policies:` mapping of a document or of its guardrails, in the author's order.

    Where `prompts` are known, a policy of type prompt becomes the built-in that asks a model.
    """
    rows = (
        _policy(name, row, read.problems, prompts=prompts) for name, row in read.mappings("policies").items()
    )
    return tuple(row for row in rows if row is not None)


def _policy(name: str, row: dict[str, Any], problems: list[str], *, prompts: bool) -> PolicyDecl | None:
    read = Reader(row, f"policy {name!r}", problems)
    declared = read.text("type")
    function = read.inside("function") if isinstance(row.get("function"), dict) else None
    handler = read.text("handler") or read.text("callable")
    if function is not None:
        handler = handler or function.text("path")
    elif handler is None:
        handler = read.text("function")
    params = row.get("factory_params")
    if function is not None and "arguments" in function.data:
        if params is not None:
            problems.append(f"policy {name!r}: arguments and factory_params exclude each other")
        params = function.data["arguments"]
    if declared == "prompt" and not prompts:
        problems.append(f"policy {name!r}: type: prompt is not known here, use function with {PROMPT_POLICY}")
        return None
    if declared == "prompt":
        handler, params = PROMPT_POLICY, {"prompt": read.text("prompt") or ""}
    elif declared != "function":
        problems.append(f"policy {name!r}: " + ("type: required" if declared is None else "unknown type"))
        return None
    if not handler:
        problems.append(f"policy {name!r}: handler: required")
        return None
    if params is not None and not isinstance(params, dict):
        read.complain("factory_params", f"must be a mapping, got {kind(params)}")
    return PolicyDecl(
        name=name,
        handler=handler,
        on=read.texts("on") or (),
        factory_params=params if isinstance(params, dict) else None,
        config=read.mapping("config"),
        condition=_condition(read),
        set_labels=read.texts("set_labels"),
        ask_timeout=read.number("ask_timeout", minimum=0),
    )


def _condition(read: Reader) -> dict[str, tuple[str, ...]]:
    inner = read.inside("condition")
    wanted = {}
    for key, value in inner.data.items():
        allowed = inner.texts(key) if isinstance(value, list) else (inner.text(key),)
        wanted[key] = tuple(item for item in allowed or () if item is not None)
    return wanted


def labels(read: Reader, shape: str) -> dict[str, LabelDecl]:
    """Label declarations: `guardrails.labels`, or `labels` with `label_schema` in a single file."""
    schema = read.mappings("label_schema") if shape == "single-file" else {}
    inner = read.inside("labels")
    declared = {}
    for key in dict.fromkeys((*inner.data, *schema)):
        initial: str | None
        values: tuple[str, ...] | None
        if isinstance(inner.data.get(key), dict):
            row = inner.inside(key)
            initial, values = row.text("initial"), row.texts("values")
            if not row.data:
                read.problems.append(f"label {key!r}: must not be empty")
        else:
            initial = inner.text(key)
            values = Reader(schema.get(key, {}), f"label_schema.{key}", read.problems).texts("values")
        if initial is not None and values is not None and initial not in values:
            read.problems.append(f"label {key!r}: initial {initial!r} is not one of its values")
        declared[key] = LabelDecl(initial=initial, values=values)
    return declared
