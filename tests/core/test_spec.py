"""Agent documents: both shapes, every block, every complaint."""

from importlib import resources
from typing import Any

import pytest

from omnigent.spec import AgentSpec, BundleError, SpecError, bundle, harnesses, load_yaml, parse_spec


def directory(**fields: Any) -> dict[str, Any]:
    return {"spec_version": 1, "name": "a", "executor": {"config": {"harness": "scripted"}}, **fields}


def single(**fields: Any) -> dict[str, Any]:
    return {"name": "a", "prompt": "p", "executor": {"harness": "scripted"}, **fields}


def problems(data: dict[str, Any], files: dict[str, bytes] | None = None) -> str:
    with pytest.raises(SpecError) as caught:
        parse_spec(data, files)
    return "; ".join(caught.value.problems)


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
    assert spec.terminals == {"shell": {"command": "bash"}}
    assert (spec.labels["a"].initial, spec.labels["a"].values) == ("1", ("1", "2"))


@pytest.mark.parametrize(
    ("executor", "model", "harness"),
    [
        ("claude-x", "claude-x", "claude-sdk"),
        ({"model": "gpt-9"}, "gpt-9", "openai-agents"),
        ({"model": "gpt-9", "harness": "openai-chat"}, "gpt-9", "openai-chat"),
    ],
)
def test_a_single_file_may_imply_its_harness_by_the_model(executor: Any, model: str, harness: str) -> None:
    spec = parse_spec(single(executor=executor))

    assert (spec.model, spec.harness) == (model, harness)


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


@pytest.mark.parametrize(
    ("data", "gists"),
    [
        ({"name": "a"}, ["spec_version: required"]),
        (directory(spec_version="1"), ["spec_version: must be 1"]),
        (directory(spec_version=True), ["spec_version: must be 1"]),
        (directory(name="b c", executor={"config": {"harness": "z"}}), ["name: only", "unknown harness"]),
        (directory(name="ui"), ["name: 'ui' is reserved"]),
        (directory(name="a\n"), ["name: only"]),
        (directory(name=None), ["name: required"]),
        (directory(executor=None), ["executor.config.harness: required"]),
        (directory(executor="x"), ["executor: must be a mapping"]),
        (directory(executor={"type": "zap"}), ["executor.type: unknown"]),
        (directory(tools=[]), ["tools: must be a mapping"]),
        (directory(executor={"config": {"harness": "pi"}, "reasoning_effort": "so"}), ["reasoning_effort"]),
        (directory(interaction={"modalities": {"input": ["smell"]}}), ["interaction.modalities.input"]),
        (directory(compaction={"trigger_threshold": 2}), ["compaction: not supported", "trigger_threshold"]),
        (directory(guardrails={"ask_timeout": 0}), ["guardrails.ask_timeout: must be > 0"]),
        (directory(guardrails={"policies": []}), ["guardrails.policies: must be a mapping"]),
        (directory(guardrails={"policies": {"x": {"handler": "a.b"}}}), ["policy 'x': type: required"]),
        (directory(guardrails={"policies": {"x": {"type": "function"}}}), ["policy 'x': handler: required"]),
        (directory(guardrails={"labels": {"x": {}}}), ["label 'x': must not be empty"]),
        (directory(guardrails={"labels": {"x": {"initial": "1", "values": ["2"]}}}), ["label 'x': initial"]),
        (directory(terminals={"x": 1}), ["terminals.x: must be a mapping"]),
        (directory(skills="some"), ["skills: all, none"]),
        (directory(agent_session_sharing="wild"), ["agent_session_sharing"]),
        (directory(os_env={"fork": True, "start_in_scratch": True}), ["exclude each other"]),
        (directory(os_env=[]), ["os_env: must be a mapping"]),
        (directory(tools={"x": {"type": "mcp", "transport": "sse"}}), ["transport: one of"]),
        (directory(tools={"x": {"type": "mcp", "url": "u", "command": "c"}}), ["command: not allowed"]),
        (directory(tools={"web_search": {"type": "mcp", "url": "u"}}), ["collides"]),
        (directory(tools={"agents": ["ghost"]}), ["tools.agents: no sub-agent named ghost"]),
        (directory(spawn="yes"), ["spawn: must be true or false"]),
        (directory(description=["x"]), ["description: must be text"]),
        (single(executor={"harness": "scripted", "type": "omnigent"}), ["executor.type: belongs to"]),
        (single(executor={"model": "unheard-of"}), ["executor.harness: required"]),
    ],
    ids=str,
)  # fmt: skip
def test_every_fault_is_named(data: dict[str, Any], gists: list[str]) -> None:
    found = problems(data)

    for gist in gists:
        assert gist in found


def test_all_faults_are_collected() -> None:
    data = directory(name="!", tools=[], spawn=3, executor={"config": {"harness": "zap"}})

    assert problems(data).count(";") >= 3


@pytest.mark.parametrize("data", [None, [], "text", 3])
def test_a_document_must_be_a_mapping(data: Any) -> None:
    with pytest.raises(BundleError):
        parse_spec(data)


def test_executor_types_are_shown_as_they_were_written() -> None:
    spec = parse_spec(directory(executor={"type": "claude_sdk"}))

    assert (spec.public()["harness"], spec.harness_id) == ("claude_sdk", "claude-sdk")


@pytest.mark.parametrize(
    ("spelling", "canonical"),
    [("agy", "antigravity"), ("native-pi", "pi-native"), ("openai_responses", "openai-responses"),
     ("agents_sdk", "openai-agents"), ("acp:zed", "acp:zed"), ("acp:", None), ("zap", None)],
)  # fmt: skip
def test_harness_spellings(spelling: str, canonical: str | None) -> None:
    assert harnesses.canonical(spelling) == canonical


def test_every_spelling_leads_back_to_its_harness() -> None:
    for name in harnesses.CANONICAL:
        assert {harnesses.canonical(spelling) for spelling in harnesses.spellings(name)} == {name}


def test_skills_are_read_from_their_front_matter() -> None:
    files = {
        "skills/review/SKILL.md": b"---\nname: Review It\ndescription: Looks: closely\n---\nBody",
        "skills/team/hidden/SKILL.md": b"---\r\nname: hidden\r\ndescription: d\nuser-invocable: no\n---\r",
        "skills/a/b/c/SKILL.md": b"not looked at",
        "skills/Bad Dir/SKILL.md": b"---\nname: named\ndescription: d\n---\n",
    }
    spec = parse_spec(directory(), files)

    assert [(skill.name, skill.path) for skill in spec.skills] == [
        ("named", "skills/Bad Dir"), ("review", "skills/review"), ("hidden", "skills/team/hidden"),
    ]  # fmt: skip
    assert spec.public()["skills"] == [
        {"name": "named", "description": "d", "display_name": None},
        {"name": "review", "description": "Looks: closely", "display_name": "Review It"},
    ]


@pytest.mark.parametrize(
    ("files", "gist"),
    [
        ({"skills/a/SKILL.md": b"no front matter"}, "skills/a/SKILL.md: front matter"),
        ({"skills/a/SKILL.md": b"---\nname: a\n---\n"}, "skills/a/SKILL.md.description: required"),
        (
            {"skills/a/SKILL.md": b"---\nname: a\ndescription: " + b"x" * 1025 + b"\n---\n"},
            "longer than 1024",
        ),
        (
            {f"skills/{ns}/a/SKILL.md": b"---\nname: a\ndescription: d\n---\n" for ns in "xy"},
            "declared twice",
        ),
        ({"tools/mcp/x.yaml": b"transport: http\n"}, "tools/mcp/x.yaml.name: required"),
        ({"tools/mcp/x.yaml": b"name: x\ntransport: http\n"}, "url: required for http"),
    ],
)
def test_faults_in_other_files_name_the_file(files: dict[str, bytes], gist: str) -> None:
    assert gist in problems(directory(), files)


def sub_agent(harness: str = "scripted", name: str | None = None) -> bytes:
    named = f"name: {name}\n" if name else ""
    return f"spec_version: 1\n{named}executor: {{config: {{harness: {harness}}}}}\n".encode()


def test_sub_agents_are_read_with_their_own_files() -> None:
    files = {
        "agents/helper/config.yaml": sub_agent(),
        "agents/helper/AGENTS.md": b"help",
        "agents/helper/agents/inner/config.yaml": sub_agent(name="deep"),
        "agents/no-config/readme.md": b"",
    }
    spec = parse_spec(directory(tools={"agents": ["helper"]}), files)

    (helper,) = spec.sub_agents
    assert (helper.name, helper.instructions) == ("helper", "help")
    assert [child.name for child in helper.sub_agents] == ["deep"]


def test_faults_of_sub_agents_carry_their_path() -> None:
    files = {
        "agents/one/config.yaml": sub_agent("zap"),
        "agents/two/config.yaml": sub_agent(name="same"),
        "agents/one/agents/x/config.yaml": sub_agent(name="same"),
    }
    found = problems(directory(), files)

    assert "sub_agents['one'].executor.config.harness: unknown harness 'zap'" in found
    assert "sub_agents: 'same' is declared 2 times in the tree" in found


def test_only_true_and_false_are_booleans_and_dates_stay_text() -> None:
    loaded = load_yaml("on: yes\nno: off\nflag: True\nday: 2026-01-02\n1: one\n")

    assert loaded == {"on": "yes", "no": "off", "flag": True, "day": "2026-01-02", "1": "one"}


@pytest.mark.parametrize(
    "text",
    [
        "a: [", "a: b: c", "\t- x", "!!python/object/apply:os.system ['true']", "a: !!binary aGk=",
        "a: !!set {x}", "? [1, 2]\n: x", "a: &a [*a]", "a: \"\\ud800\"", 'a: "\\0"', "a: 1\n---\nb: 2",
        "[" * 60 + "]" * 60, "{a: " * 3000, "a: &x 1\n" + "".join(f"k{n}: *x\n" for n in range(40)),
        "x" * 1_100_000, "a: .nan", "a: .inf", "a: " + "9" * 20, "a: " + "9" * 5000,
        "a: !!int 'x'", "a: !!timestamp 2026-99-99", "\x07",
    ],
    ids=lambda text: text[:24],
)  # fmt: skip
def test_hostile_yaml_is_refused(text: str) -> None:
    with pytest.raises(BundleError):
        load_yaml(text)


def test_a_bomb_of_aliases_is_refused() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 4)}]" for n in range(1, 8)]

    with pytest.raises(BundleError, match="too many values"):
        load_yaml("\n".join(rows))


def test_yaml_faults_say_where() -> None:
    with pytest.raises(BundleError, match=r"config.yaml: .* at line 3, column \d+"):
        load_yaml("a: 1\nb: [\n", name="config.yaml")


def test_equal_documents_give_equal_specs() -> None:
    assert (
        parse_spec(single())
        == parse_spec(single())
        == AgentSpec(name="a", instructions="p", shape="single-file", harness="scripted", raw=single())
    )
