"""Faults in the other files of a bundle, how faults are told together, and what is no fault."""

from typing import Any

import pytest

from omnigent.spec import BundleError, SpecError, bundle, parse_spec
from tests.spec.documents import config, directory, problems, single

SKILL = b"---\nname: s\ndescription: d\n---\n"

FILES: list[tuple[str, dict[str, bytes], list[str]]] = [
    ("skill without front matter", {"skills/a/SKILL.md": b"text"}, ["skills/a/SKILL.md: front matter"]),
    ("skill without name", {"skills/a/SKILL.md": b"---\ndescription: d\n---\n"},
     ["skills/a/SKILL.md.name: required"]),
    ("skill without description", {"skills/a/SKILL.md": b"---\nname: a\n---\n"},
     ["skills/a/SKILL.md.description: required"]),
    ("skill described at length",
     {"skills/a/SKILL.md": b"---\nname: a\ndescription: " + b"x" * 1025 + b"\n---\n"},
     ["skills[0].description: longer than 1024 characters (skills/a/SKILL.md)"]),
    ("skill twice", {f"skills/{group}/s/SKILL.md": SKILL for group in "xy"},
     ["skills[1].name: duplicate 's' (skills/y/s/SKILL.md)"]),
    ("MCP file without name", {"tools/mcp/x.yaml": b"transport: http\nurl: http://u\n"},
     ["tools/mcp/x.yaml.name: required"]),
    ("MCP file without transport", {"tools/mcp/x.yaml": b"name: x\nurl: http://u\n"},
     ["tools/mcp/x.yaml.transport: required"]),
    ("MCP file without url", {"tools/mcp/x.yaml": b"name: x\ntransport: http\n"},
     ["tools/mcp/x.yaml.url: required for http"]),
    ("MCP file without command", {"tools/mcp/x.yml": b"name: x\ntransport: stdio\n"},
     ["tools/mcp/x.yml.command: required for stdio"]),
    ("MCP file with sse", {"tools/mcp/x.yaml": b"name: x\ntransport: sse\nurl: http://u\n"},
     ["tools/mcp/x.yaml.transport: one of"]),
    ("MCP file from a registry", {"tools/mcp/x.yaml": b"name: x\ntransport: registry\n"},
     ["tools/mcp/x.yaml.transport: registry is for inline servers only"]),
    ("MCP file with sandbox", {"tools/mcp/x.yaml": b"name: x\ntransport: stdio\ncommand: c\nsandbox: {}\n"},
     ["tools/mcp/x.yaml.sandbox: not allowed"]),
    ("MCP server twice",
     {f"tools/mcp/{file}.yaml": b"name: x\ntransport: http\nurl: http://u\n" for file in "ab"},
     ["mcp_servers[0].name: duplicate 'x'", "mcp_servers[1].name: duplicate 'x'"]),
    ("sub-agent invalid", {"agents/dir/config.yaml": config("x", "zap")},
     ["sub_agents['x'].executor.config.harness: unknown harness 'zap'"]),
    ("sub-agent below a sub-agent invalid",
     {"agents/a/config.yaml": config("x"), "agents/a/agents/b/config.yaml": config("y", more="spawn: 3\n")},
     ["sub_agents['x'].sub_agents['y'].spawn: must be true or false"]),
    ("skill of a sub-agent", {"agents/x/config.yaml": config(), "agents/x/skills/s/SKILL.md": b""},
     ["sub_agents['x'].skills/s/SKILL.md: front matter"]),
    ("sub-agents of one name",
     {"agents/a/config.yaml": config("same"), "agents/b/config.yaml": config("other"),
      "agents/b/agents/c/config.yaml": config("same")},
     ["sub_agents: 'same' is declared 2 times in the tree"]),
]  # fmt: skip


@pytest.mark.parametrize(("files", "gists"), [pytest.param(*row, id=name) for name, *row in FILES])
def test_a_fault_in_another_file_is_named_with_its_path(files: dict[str, bytes], gists: list[str]) -> None:
    found = problems(directory(), files)

    for gist in gists:
        assert [problem for problem in found if problem.startswith(gist)], found
    assert len(found) == len(gists), found


@pytest.mark.parametrize(
    ("files", "gist"),
    [
        ({"config.yaml": b""}, "config.yaml must be a mapping, got nothing"),
        ({"config.yaml": b"- 1\n"}, "config.yaml must be a mapping, got list"),
        ({"config.yaml": b"a: [\n"}, "config.yaml: "),
        ({"config.yaml": b"\xff"}, "config.yaml is not UTF-8"),
        ({"config.yaml": b"name: a\nname: b\n"}, "config.yaml: the key 'name' is given twice at line 2"),
        ({"config.yaml": config("a"), "tools/mcp/x.yaml": b"- 1\n"}, "tools/mcp/x.yaml must be a mapping"),
        ({"config.yaml": config("a"), "agents/x/config.yaml": b"a: ["}, "agents/x/config.yaml: "),
        ({}, "neither a config.yaml nor exactly one YAML file"),
    ],
    ids=["empty", "list", "syntax", "encoding", "key twice", "MCP file", "sub-agent", "no document"],
)
def test_what_cannot_be_read_is_told_as_the_first_fault(files: dict[str, bytes], gist: str) -> None:
    with pytest.raises(BundleError) as caught:
        bundle.read(bundle.pack(files))

    assert str(caught.value).startswith(f"invalid agent bundle: {gist}") or gist in caught.value.fault


def test_all_faults_are_told_at_once() -> None:
    data = directory(name="!", tools=[], spawn=3, executor={"config": {"harness": "zap"}})
    files = {"agents/x/config.yaml": config(harness="zip"), "skills/s/SKILL.md": b""}

    with pytest.raises(SpecError) as caught:
        parse_spec(data, files)

    paths = [problem.partition(":")[0] for problem in caught.value.problems]
    assert sorted(paths) == [
        "executor.config.harness", "name", "skills/s/SKILL.md", "spawn",
        "sub_agents['x'].executor.config.harness", "tools",
    ]  # fmt: skip
    assert str(caught.value) == "invalid agent spec: " + "; ".join(caught.value.problems)


def test_faults_of_a_single_file_say_where_the_keys_come_from() -> None:
    with pytest.raises(SpecError, match=r"single-file YAML\)$"):
        parse_spec(single(spawn=3))


def test_a_long_key_does_not_blow_up_the_message() -> None:
    (problem,) = problems(directory(terminals={"k" * 5000: 1}))

    assert len(problem) < 300


@pytest.mark.parametrize(
    "fields",
    [
        {"unknown": 1},
        {"tools": {"builtins": ["no_such_builtin"]}},
        {"os_env": {"type": "of_the_future", "sandbox": {"type": "of_the_future"}}},
        {"terminals": {"x": {}}},
        {"params": {"depth": {"type": 5}, "odd": [1]}},
        {"params": [1]},
    ],
    ids=["key", "builtin", "os_env type", "terminal without command", "params", "params as list"],
)
def test_what_a_later_version_may_know_is_accepted(fields: dict[str, Any]) -> None:
    assert parse_spec(directory(**fields)).name == "a"


def test_a_sub_agent_that_is_not_listed_is_kept_and_cannot_be_called() -> None:
    spec = parse_spec(directory(), {"agents/x/config.yaml": config()})

    assert [child.name for child in spec.sub_agents] == ["x"]
    assert (spec.callable_agents, spec.agent_tools) == ((), ())


def test_sub_agents_are_listed_by_name_and_not_by_directory() -> None:
    files = {"agents/folder/config.yaml": config("named")}

    assert problems(directory(tools={"agents": ["folder"]}), files) == (
        "tools.agents: no sub-agent named folder",
    )
