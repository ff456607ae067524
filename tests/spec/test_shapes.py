"""Both shapes of a document are read into the same kind of agent."""

from importlib import resources
from typing import Any

import pytest

from omnigent.spec import AgentSpec, BundleError, bundle, load_yaml, parse_spec
from omnigent.spec.types import Terminal
from tests.spec.documents import directory, single


@pytest.mark.parametrize("name", ["scripted", "openai-responses", "openai-chat", "anthropic"])
def test_the_shipped_agents_are_valid_and_use_the_machine(name: str) -> None:
    text = (resources.files("omnigent.spec") / "builtin" / f"{name}.yaml").read_bytes()
    spec = parse_spec(load_yaml(text))

    assert (spec.name, spec.harness, spec.harness_id) == (name, name, name)
    assert spec.description
    assert spec.instructions.strip()
    assert spec.os_env is not None
    assert (spec.os_env.type, spec.os_env.cwd, spec.os_env.sandbox.type) == ("caller_process", ".", "none")
    assert bundle.read(bundle.pack({f"{name}.yaml": text})) == spec


FULL = """
    spec_version: 1
    name: full
    description: does things
    instructions: prompts/main.txt
    executor:
      type: omnigent
      config: {harness: openai_chat, yolo: true}
      model: m-1
      reasoning_effort: high
      context_window: 1000
      connection: {base_url: "${URL}"}
    os_env: {type: caller_process, cwd: src, sandbox: {type: null, allow_network: false}}
    guardrails:
      ask_timeout: 60
      labels: {tier: {initial: "0", values: ["0", "1"]}, free: yes}
      policies:
        gate: {type: function, handler: a.b, on: [tool_call], factory_params: {limit: 3},
               condition: {tier: "0"}, set_labels: [tier], ask_timeout: 5}
    policies:
      gate: {type: function, handler: overridden.by_guardrails}
      extra: {type: function, function: {path: c.d, arguments: {}}}
    terminals: {shell: {command: bash}}
    tools:
      web: {type: mcp, url: "https://user:pw@example.test/mcp", headers: {A: secret}}
      builtins: [web_search]
    spawn: true
    async: false
    unknown_key: 1
"""
LOCAL_SERVER = b"name: local\ntransport: stdio\ncommand: run\nargs: [x]\nenv: {K: secret}\ndescription: d\n"
FULL_FILES = {"prompts/main.txt": b"You are full.", "tools/mcp/local.yaml": LOCAL_SERVER}


def test_a_full_directory_document_is_read() -> None:
    spec = parse_spec(load_yaml(FULL), FULL_FILES)

    assert spec.instructions == "You are full."
    assert (spec.harness, spec.harness_id, spec.config) == ("openai_chat", "openai-chat", {"yolo": "true"})
    assert (spec.model, spec.reasoning_effort, spec.context_window) == ("m-1", "high", 1000)
    assert spec.os_env is not None
    assert (spec.os_env.cwd, spec.os_env.sandbox.type, spec.os_env.sandbox.allow_network) == (
        "src",
        "none",
        False,
    )
    assert (spec.ask_timeout, spec.spawn, spec.async_tools, spec.timers) == (60, True, False, False)
    assert spec.labels["tier"].values == ("0", "1")
    assert spec.labels["free"].initial == "yes"
    gate, extra = spec.policies
    assert (gate.handler, gate.factory_params, gate.condition) == ("a.b", {"limit": 3}, {"tier": ("0",)})
    assert (gate.set_labels, gate.ask_timeout) == (("tier",), 5)
    assert (extra.handler, extra.factory_params) == ("c.d", {})
    assert spec.raw["unknown_key"] == 1


def test_what_is_shown_of_a_full_document_holds_no_secret() -> None:
    spec = parse_spec(load_yaml(FULL), FULL_FILES)

    assert spec.public() == {
        "name": "full",
        "description": "does things",
        "harness": "openai_chat",
        "mcp_servers": [
            {"name": "web", "transport": "http", "url": "https://example.test/mcp",
             "headers": {"A": "[REDACTED]"}},
            {"name": "local", "transport": "stdio", "command": "run", "args": ["x"], "description": "d"},
        ],
        "policies": [
            {"name": "gate", "type": "function", "on": ["tool_call"], "description": "a.b"},
            {"name": "extra", "type": "function", "on": [], "description": "c.d"},
        ],
        "skills": [],
        "terminals": ["shell"],
    }  # fmt: skip
    assert "secret" not in str(spec.public())


def test_a_single_file_document_is_read() -> None:
    spec = parse_spec(
        single(terminals={"shell": "bash"}, labels={"a": "1"}, label_schema={"a": {"values": ["1", "2"]}})
    )

    assert (spec.shape, spec.instructions, spec.harness) == ("single-file", "p", "scripted")
    assert spec.terminals == {"shell": Terminal(command="bash")}
    assert (spec.labels["a"].initial, spec.labels["a"].values) == ("1", ("1", "2"))


def test_both_shapes_say_the_same_things() -> None:
    shared: dict[str, Any] = {
        "name": "same", "description": "d", "prompt": "p", "terminals": {"t": {"command": "bash"}},
        "os_env": {"cwd": "x", "sandbox": {"type": "none"}}, "timers": True, "spawn": True,
        "params": {"depth": {"type": "integer", "default": 3}},
        "tools": {
            "f": {"type": "function", "callable": "a.b"},
            "helper": {"type": "agent", "prompt": "help", "max_sessions": 2},
            "builtins": ["web_search"],
        },
        "policies": {"p": {"type": "function", "handler": "a.b"}},
    }  # fmt: skip
    flat = parse_spec(
        {**shared, "executor": {"harness": "pi", "model": "m"}, "labels": {"l": "1"}, "ask_timeout": 9}
    )
    deep = parse_spec(
        {
            **shared,
            "spec_version": 1,
            "executor": {"config": {"harness": "pi"}, "model": "m"},
            "guardrails": {"labels": {"l": "1"}, "ask_timeout": 9},
        }
    )

    assert (flat.shape, deep.shape) == ("single-file", "directory")
    for name in AgentSpec.__dataclass_fields__:
        if name not in {"shape", "raw"}:
            assert getattr(flat, name) == getattr(deep, name), name


def test_a_prompt_policy_of_a_single_file_becomes_the_built_in() -> None:
    (policy,) = parse_spec(single(policies={"p": {"type": "prompt", "prompt": "Be kind."}})).policies

    assert policy.handler == "omnigent.policies.builtins.prompt.prompt_policy"
    assert policy.factory_params == {"prompt": "Be kind."}


@pytest.mark.parametrize(
    ("fields", "files", "expected"),
    [
        ({"instructions": "i", "prompt": "p"}, {}, "i"),
        ({"prompt": "p.md"}, {"p.md": b"from file"}, "from file"),
        ({"prompt": "./p.md"}, {"p.md": b"from file"}, "from file"),
        ({"prompt": "../p.md"}, {"p.md": b"from file"}, "../p.md"),
        ({"prompt": "missing.md"}, {}, "missing.md"),
        ({"prompt": "p.md\nmore"}, {"p.md": b"from file"}, "p.md\nmore"),
        ({}, {"CLAUDE.md": b"c", "AGENTS.md": b"a"}, "a"),
        ({}, {"AGENTS.md": b"a\x00\xff"}, "a\ufffd\ufffd"),
        ({}, {}, ""),
    ],
)
def test_instructions_come_from_the_key_or_a_contained_file(
    fields: dict[str, str], files: dict[str, bytes], expected: str
) -> None:
    assert parse_spec(directory(**fields), files).instructions == expected


@pytest.mark.parametrize("data", [None, [], "text", 3])
def test_a_document_must_be_a_mapping(data: Any) -> None:
    with pytest.raises(BundleError):
        parse_spec(data)


def test_equal_documents_give_equal_specs() -> None:
    assert (
        parse_spec(single())
        == parse_spec(single())
        == AgentSpec(name="a", instructions="p", shape="single-file", harness="scripted", raw=single())
    )
