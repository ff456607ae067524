"""Agent documents of both shapes that are valid until a test changes them."""

from typing import Any

import pytest

from omnigent.spec import SpecError, parse_spec

Document = dict[str, Any]


def directory(**fields: Any) -> Document:
    """A `config.yaml` with some keys replaced or added."""
    return {"spec_version": 1, "name": "a", "executor": {"config": {"harness": "scripted"}}, **fields}


def single(**fields: Any) -> Document:
    """A single-file document with some keys replaced or added."""
    return {"name": "a", "prompt": "p", "executor": {"harness": "scripted"}, **fields}


def vendor(**fields: Any) -> Document:
    """A `config.yaml` whose harness keeps its own context."""
    return directory(executor={"config": {"harness": "claude-sdk"}}, **fields)


def config(name: str | None = None, harness: str = "scripted", more: str = "") -> bytes:
    """The text of a sub-agent's document."""
    named = f"name: {name}\n" if name else ""
    return f"spec_version: 1\n{named}executor: {{config: {{harness: {harness}}}}}\n{more}".encode()


def problems(data: Document, files: dict[str, bytes] | None = None) -> tuple[str, ...]:
    """Everything that reading a document complains about."""
    with pytest.raises(SpecError) as caught:
        parse_spec(data, files)
    return caught.value.problems
