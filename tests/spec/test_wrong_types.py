"""No shape of value under any key may crash the reader: it is read, or refused in words."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnigent.spec import AgentSpec, InvalidAgentError, bundle, parse_spec
from tests.spec.documents import directory, single
from tests.spec.test_blocks import SANDBOX

VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "number": 5,
    "negative": -1.5,
    "text": "x",
    "empty text": "",
    "list": [],
    "list of null": [None],
    "list of lists": [[1], {"a": []}],
    "mapping": {},
    "odd mapping": {"x": None},
    "nested": {"x": {"y": [1, {"z": None}]}},
    "mapping of lists": {"x": [1], "type": ["y"], "name": {"a": 1}},
}
POLICY = {
    "type": "function",
    "handler": "a.b",
    "function": "a.b",
    "callable": "a.b",
    "on": ["x"],
    "config": {},
    "factory_params": {},
    "condition": {"a": ["b"]},
    "set_labels": ["a"],
    "ask_timeout": 1,
}
TOOL = {
    "type": "function",
    "callable": "a.b",
    "parameters": {},
    "input_schema": {},
    "runtime": "client",
    "description": "d",
}
MCP = {
    "type": "mcp",
    "transport": "http",
    "url": "http://u",
    "command": "c",
    "args": [],
    "headers": {},
    "env": {},
    "tools": [],
    "timeout": 1,
    "retry": {"max_retries": 1},
    "auth": {},
    "registry": "r",
}
AGENT = {
    "type": "agent",
    "prompt": "p",
    "executor": "m",
    "tools": {"y": "inherit"},
    "os_env": "inherit",
    "pass_history": True,
    "pass_histories": ["x"],
    "max_sessions": 1,
    "terminals": {},
}
FULL: dict[str, Any] = {
    "spec_version": 1,
    "name": "a",
    "description": "d",
    "prompt": "p",
    "instructions": "i",
    "executor": {
        "type": "omnigent",
        "config": {"harness": "scripted", "context_files": True},
        "harness": "pi",
        "model": "m",
        "reasoning_effort": "low",
        "timeout": 1,
        "max_iterations": 1,
        "context_window": 1,
        "connection": {"a": "b"},
        "auth": {"type": "api_key", "api_key": "k"},
        "profile": "p",
        "retry": {"retryable_status_codes": [500]},
        "fallback_models": ["m"],
        "request_timeout": 1,
    },
    "llm": {"model": "m", "connection": {}, "retry": {"jitter": True}, "fallback_models": [], "extras": {}},
    "tools": {
        "agents": [],
        "builtins": [{"name": "x"}],
        "timeout": 1,
        "retry": {"backoff_base_s": 1},
        "sandbox": {},
        "f": TOOL,
        "m": MCP,
        "sub": AGENT,
        "me": "self",
        "h": {"type": "handoff", "agent": "x"},
        "s": {"type": "skill", "skill": "x"},
    },
    "terminals": {
        "t": {"command": "c", "args": [], "env": {"A": "b"}, "env_unset": [], "os_env": {}, "scrollback": 1}
    },
    "guardrails": {
        "ask_timeout": 1,
        "policies": {"p": POLICY},
        "labels": {"l": {"initial": "1", "values": ["1"]}},
    },
    "policies": {"p": POLICY},
    "labels": {"l": "1"},
    "label_schema": {"l": {"values": ["1"]}},
    "ask_timeout": 1,
    "os_env": {"type": "t", "cwd": "c", "fork": True, "sandbox": SANDBOX},
    "skills": ["x"],
    "interaction": {"conversational": True, "modalities": {"input": ["text"]}},
    "compaction": {"trigger_threshold": 0.5, "recent_window": 1},
    "params": {"p": {"type": "string"}},
    "async": True,
    "async_enabled": True,
    "timers": True,
    "spawn": True,
    "cancellable": True,
    "agent_session_sharing": "none",
}


def places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    keys: list[Any] = (
        list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    )
    return [place for key in keys for place in ((*path, key), *places(value[key], (*path, key)))]


def with_value(document: Any, place: tuple[str | int, ...], value: Any) -> Any:
    changed = json.loads(json.dumps(document))
    inner = changed
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    return changed


def read(document: Any) -> None:
    """Whatever was read can also be shown; whatever was not is refused in words."""
    with contextlib.suppress(InvalidAgentError):
        spec = parse_spec(document)
        assert isinstance(spec, AgentSpec)
        json.dumps(spec.public())
    with contextlib.suppress(InvalidAgentError):
        parse_spec(document, lenient=True)


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_every_value_under_every_key(value: Any) -> None:
    for place in places(FULL):
        read(with_value(FULL, place, value))
    flat = {key: row for key, row in FULL.items() if key != "spec_version"}
    for place in places(flat):
        read(with_value(flat, place, value))


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("path", ["tools/mcp/x.yaml", "agents/x/config.yaml", "skills/s/SKILL.md"])
def test_every_value_in_the_other_files(path: str, value: Any) -> None:
    text = json.dumps(value)
    content = f"---\nname: {text}\ndescription: {text}\n---\n" if path.endswith(".md") else text

    with contextlib.suppress(InvalidAgentError):
        parse_spec(directory(), {path: content.encode()})
    with contextlib.suppress(InvalidAgentError):
        bundle.spec_of({"config.yaml": text.encode(), path: content.encode()})


WORDS = st.sampled_from([*FULL, *FULL["executor"], *FULL["tools"], *MCP, *AGENT, *POLICY, *SANDBOX])
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=25,
)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.dictionaries(WORDS, DATA, max_size=8))
def test_documents_of_chance(fields: dict[str, Any]) -> None:
    read(fields)
    read(directory(**{**fields, "name": "a"}))
    read(single(**{**fields, "name": "a"}))
