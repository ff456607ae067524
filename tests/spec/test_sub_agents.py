"""Agents below an agent: from directories and inline, with what they take from their parent."""

from typing import Any

import pytest

from omnigent.spec import AgentSpec, SpecError, bundle, parse_spec
from omnigent.spec.types import AgentTool
from tests.spec.documents import config, directory, problems, single

PARENT: dict[str, Any] = {
    "executor": {"harness": "openai-chat", "model": "m", "profile": "work"},
    "os_env": {"cwd": "src"},
    "terminals": {"shell": "bash"},
}


def child_of(row: dict[str, Any], **parent: Any) -> AgentSpec:
    spec = parse_spec(
        single(**{**PARENT, **parent}, tools={"child": {"type": "agent", "prompt": "q", **row}})
    )
    return spec.sub_agents[0]


def test_directories_are_read_with_their_own_files() -> None:
    files = {
        "agents/helper/config.yaml": config(more="description: Helps.\n"),
        "agents/helper/AGENTS.md": b"help",
        "agents/helper/tools/mcp/m.yaml": b"name: m\ntransport: stdio\ncommand: c\n",
        "agents/helper/agents/inner/config.yaml": config("deep"),
        "agents/no-config/readme.md": b"",
    }
    spec = parse_spec(directory(tools={"agents": ["helper"]}), files)

    (helper,) = spec.sub_agents
    assert (helper.name, helper.instructions, helper.mcp_servers[0].name) == ("helper", "help", "m")
    assert [agent.name for agent in spec.below()] == ["helper", "deep"]
    assert spec.agent_tools == (AgentTool(name="helper", agent="helper", description="Helps."),)
    assert spec.sub_agent("deep") is helper.sub_agents[0]
    assert spec.sub_agent("nobody") is None


def test_an_inline_agent_is_a_sub_agent_that_can_be_called() -> None:
    row = {
        "type": "agent", "description": "Digs.", "prompt": "Dig.", "executor": {"harness": "pi"},
        "tools": {"f": {"type": "function", "callable": "a.b"}}, "pass_history": True,
        "pass_histories": ["other"], "max_sessions": 3,
    }  # fmt: skip
    spec = parse_spec(single(tools={"digger": row}))

    (child,) = spec.sub_agents
    assert (child.name, child.instructions, child.harness) == ("digger", "Dig.", "pi")
    assert child.function_tools[0].callable == "a.b"
    assert spec.callable_agents == ("digger",)
    assert spec.agent_tools == (
        AgentTool(
            name="digger", agent="digger", description="Digs.", pass_history=True, pass_histories=("other",),
            max_sessions=3,
        ),
    )  # fmt: skip


def test_an_inline_agent_takes_harness_profile_and_terminals_from_its_parent() -> None:
    child = child_of({})

    assert (child.harness, child.profile, child.model) == ("openai-chat", "work", None)
    assert list(child.terminals) == ["shell"]
    assert child.os_env is None


def test_what_an_inline_agent_says_itself_goes_first() -> None:
    child = child_of(
        {"executor": {"harness": "pi", "profile": "own"}, "terminals": {"own": "zsh"}, "os_env": {"cwd": "y"}}
    )

    assert (child.harness, child.profile, list(child.terminals)) == ("pi", "own", ["own"])
    assert child.os_env is not None and child.os_env.cwd == "y"


def test_the_environment_is_inherited_on_request_only() -> None:
    child = child_of({"os_env": "inherit"})

    assert child.os_env is not None and child.os_env.cwd == "src"


@pytest.mark.parametrize("harness", ["claude-native", "claude-sdk", "codex", "claude_sdk"])
def test_a_profile_is_not_inherited_by_what_signs_in_itself(harness: str) -> None:
    assert child_of({"executor": {"harness": harness}}).profile is None


def test_a_model_implies_the_harness_before_the_parent_gives_its_own() -> None:
    assert child_of({"executor": "claude-x"}).harness == "claude-sdk"
    assert child_of({"executor": "unheard-of"}).harness == "openai-chat"


def test_an_inline_agent_of_a_directory_may_use_either_form_of_executor() -> None:
    for executor in (
        {"harness": "pi"},
        {"config": {"harness": "pi"}},
        {"type": "omnigent", "config": {"harness": "pi"}},
    ):
        spec = parse_spec(directory(tools={"x": {"type": "agent", "prompt": "p", "executor": executor}}))
        assert spec.sub_agents[0].harness_id == "pi"
    spec = parse_spec(
        directory(executor={"type": "claude_sdk"}, tools={"x": {"type": "agent", "prompt": "p"}})
    )
    assert spec.sub_agents[0].harness_id == "claude-sdk"


@pytest.mark.parametrize(
    "row", ["self", {"type": "agent", "spec": "self", "max_sessions": 2}], ids=["word", "row"]
)
def test_an_agent_may_call_a_clone_of_itself(row: Any) -> None:
    spec = parse_spec(single(description="Me.", tools={"me_again": row}))

    (tool,) = spec.agent_tools
    assert (tool.clone, tool.agent, spec.sub_agents) == (True, "me_again", ())
    clone = spec.sub_agent("me_again")
    assert clone is not None
    assert (clone.name, clone.instructions, clone.agent_tools) == ("me_again", "p", spec.agent_tools)


def test_tools_are_inherited_by_name() -> None:
    tools = {
        "web": {"type": "mcp", "url": "http://u"},
        "f": {"type": "function", "callable": "a.b"},
        "child": {"type": "agent", "prompt": "q", "tools": {"web": "inherit", "f": {"type": "inherit"}}},
    }
    spec = parse_spec(single(tools=tools))

    assert spec.sub_agents[0].mcp_servers == spec.mcp_servers
    assert spec.sub_agents[0].function_tools == spec.function_tools


def test_a_server_in_a_file_is_inherited_too() -> None:
    files = {
        "tools/mcp/m.yaml": b"name: m\ntransport: stdio\ncommand: c\n",
        "agents/x/config.yaml": config(more="tools: {m: inherit}\n"),
    }
    spec = parse_spec(directory(), files)

    assert spec.sub_agents[0].mcp_servers == spec.mcp_servers


def test_inheriting_what_the_parent_lacks_is_a_fault_below() -> None:
    rows = {"child": {"type": "agent", "prompt": "q", "tools": {"ghost": "inherit"}}}

    assert problems(single(tools=rows)) == (
        "sub_agents['child'].tool 'ghost': the parent has no such tool to inherit",
    )


@pytest.mark.parametrize(
    "tools",
    [
        {"x": {"type": "agent", "prompt": "p", "tools": {"y": {"type": "agent", "prompt": "p"}}},
         "y": {"type": "agent", "prompt": "p"}},
        {"x": {"type": "agent", "prompt": "p", "tools": {"y": "self"}}, "y": "self"},
    ],
    ids=["agents", "clones"],
)  # fmt: skip
def test_no_two_agents_below_the_root_share_a_name(tools: dict[str, Any]) -> None:
    assert problems(single(tools=tools)) == ("sub_agents: 'y' is declared 2 times in the tree",)


def test_the_name_of_the_root_is_free_below_it() -> None:
    assert parse_spec(single(tools={"a": {"type": "agent", "prompt": "p"}})).sub_agents[0].name == "a"


def test_trees_end_somewhere() -> None:
    deep = {"/".join(["agents/x"] * depth) + "/config.yaml": config(f"x{depth}") for depth in range(1, 10)}
    wide = {f"agents/x{number}/config.yaml": config() for number in range(101)}
    row: dict[str, Any] = {"type": "agent", "prompt": "p"}
    for number in range(9):
        row = {"type": "agent", "prompt": "p", "tools": {f"t{number}": row}}

    assert "nested deeper than 8" in str(problems(directory(), deep))
    assert "more than 100 in the tree" in str(problems(directory(), wide))
    assert "nested deeper than 8" in str(problems(single(tools={"t": row})))


BROKEN = {
    "agents/bad/config.yaml": config(harness="from-the-future"),
    "agents/good/config.yaml": config(),
    "agents/good/agents/worse/config.yaml": b"a: [",
    "config.yaml": config("root", more="tools: {agents: [good, bad]}\n"),
}


def test_for_execution_a_broken_sub_agent_is_left_out_and_told() -> None:
    spec = bundle.read(bundle.pack(BROKEN), lenient=True)

    assert [agent.name for agent in spec.below()] == ["good"]
    assert spec.callable_agents == ("good",)
    assert [tool.agent for tool in spec.agent_tools] == ["good"]
    below, own = sorted(spec.warnings, reverse=True)
    assert own.startswith("left out: sub_agents['bad'].executor.config.harness: unknown harness")
    assert below.startswith("sub_agents['good'].left out: sub_agents['worse']: agents/worse/config.yaml: ")


def test_for_an_upload_it_is_a_fault() -> None:
    with pytest.raises(SpecError, match="from-the-future"):
        bundle.read(bundle.pack({path: text for path, text in BROKEN.items() if "worse" not in path}))


def test_for_execution_the_root_must_be_valid() -> None:
    with pytest.raises(SpecError, match="spawn"):
        parse_spec(directory(spawn=3), lenient=True)


def test_for_execution_namesakes_are_left_out() -> None:
    files = {"agents/a/config.yaml": config("same"), "agents/b/config.yaml": config("same")}
    spec = parse_spec(directory(tools={"agents": ["same"]}), files, lenient=True)

    assert (spec.sub_agents, spec.callable_agents, spec.agent_tools) == ((), (), ())
    assert spec.warnings == ("left out: sub_agents: 'same' is declared 2 times in the tree",)


def test_for_execution_a_broken_inline_agent_takes_its_tool_along() -> None:
    rows = {"x": {"type": "agent", "prompt": "p", "spawn": 3}, "y": {"type": "agent", "prompt": "p"}}
    spec = parse_spec(single(tools=rows), lenient=True)

    assert [tool.name for tool in spec.agent_tools] == ["y"]
    assert spec.callable_agents == ("y",)
