"""The examples of docs/agents.md that need no server do what the text says, and its tables are complete."""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from mcp import Client

from omnigent.policies.params import problems
from omnigent.policies.registry import build_registry
from omnigent.runner.harnesses.base import Finished, ModelError, ModelRequest, TextDelta
from omnigent.runner.harnesses.registry import Models
from omnigent.runner.harnesses.rows import HARNESSES
from omnigent.runner.skill_shelf import shelf_of
from omnigent.runner.tools.function_worker import schema_of
from omnigent.runner.tools.registry import tools_of
from omnigent.spec import bundle, harnesses
from omnigent.spec.types import AgentSpec
from tests.agent_document import agent_files, blocks, files, names_in, of_kind, tables, write
from tests.engines.rig import said

KINDS = {"sh", "yaml file", "yaml block", "yaml mcp"}
BASE = {
    "spec_version": 1,
    "name": "sample",
    "prompt": "Be brief.",
    "executor": {"config": {"harness": "scripted"}},
}
BLOCKS = of_kind("yaml block")


def loaded(text: str) -> AgentSpec:
    """A fragment in an otherwise plain agent."""
    return bundle.spec_of({"config.yaml": yaml.safe_dump({**BASE, **yaml.safe_load(text)}).encode()})


def test_every_example_is_of_a_kind_that_is_executed() -> None:
    others = {block.kind for block in blocks()} - KINDS

    assert {kind.partition(" ")[2] for kind in others} == files().keys()


def test_the_agent_of_the_text_has_what_its_files_say() -> None:
    spec = bundle.spec_of(agent_files())

    assert spec.instructions.startswith("You keep a list")
    assert [(skill.name, skill.display_name) for skill in spec.skills] == [("weekly", "The weekly list")]
    assert [(child.name, child.harness_id) for child in spec.sub_agents] == [("checker", "scripted")]
    assert spec.callable_agents == ("checker",)
    assert spec.tool_files == ("tools/python/todo.py",)


def test_the_single_file_has_what_it_says() -> None:
    [text] = of_kind("yaml file")

    spec = bundle.spec_of({"poet.yaml": text.encode()})

    assert (spec.shape, spec.harness_id, spec.reasoning_effort) == ("single-file", "scripted", "low")
    assert spec.labels["mood"].values == ("merry", "grave")
    assert [policy.name for policy in spec.policies] == ["few_calls"]


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_every_fragment_loads_and_its_policies_take_their_parameters(number: int) -> None:
    spec = loaded(BLOCKS[number])
    registry = build_registry([])

    assert spec.warnings == ()
    for policy in spec.policies:
        entry = registry.get(policy.handler)
        assert entry is not None
        assert problems(entry, dict(policy.factory_params or {})) == []


def test_the_example_of_all_keys_sets_each_of_them() -> None:
    spec = loaded(next(text for text in BLOCKS if "Every key" in text))
    plain = loaded("{}")

    changed = (
        *(
            "description",
            "harness",
            "config",
            "model",
            "reasoning_effort",
            "context_window",
            "max_iterations",
        ),
        *("os_env", "terminals", "host_skills", "timers", "spawn", "sharing", "interaction", "params"),
        "policies",
    )
    assert [name for name in changed if getattr(spec, name) == getattr(plain, name)] == []


def test_the_file_of_an_mcp_server_is_one() -> None:
    [text] = of_kind("yaml mcp")
    document = yaml.safe_dump(BASE).encode()

    spec = bundle.spec_of({"config.yaml": document, "tools/mcp/tracker.yaml": text.encode()})

    [server] = spec.mcp_servers
    assert (server.name, server.transport, server.tools) == ("tracker", "http", ("find_issue", "comment"))


def test_the_table_of_tools_is_complete() -> None:
    everything = """
    os_env: {}
    terminals: {shell: {}}
    timers: true
    spawn: true
    agent_session_sharing: public
    tools:
      builtins: [web_search, web_read, web_fetch, upload_file, download_file, list_files, export_agent,
                 search_conversations]
    """
    spec = loaded(everything)
    kept: dict[str, bytes | None] = {
        "skills/a/SKILL.md": b"---\nname: a\ndescription: b\n---\nc",
        "skills/a/example.txt": b"d",
    }
    with_skill = bundle.spec_of(
        {"config.yaml": yaml.safe_dump(BASE).encode(), **{path: text or b"" for path, text in kept.items()}}
    )
    granted = tools_of(spec, shelf_of(with_skill, kept, "")).keys()
    [table] = [rows for rows in tables() if rows[0][0].startswith("`load_skill`")]

    assert sorted(name for row in table for name in names_in(row[0])) == sorted(granted)


def test_what_every_agent_gets_is_what_the_table_says() -> None:
    [table] = [rows for rows in tables() if rows[0][0].startswith("`load_skill`")]
    asynchronous = [row for row in table if "`sys_call_async`" in row[0] or "`sys_read_inbox`" in row[0]]
    always = [*names_in(table[0][0]), *(name for row in asynchronous for name in names_in(row[0]))]

    assert sorted(tools_of(loaded("{}"))) == sorted(always)
    assert sorted(tools_of(loaded("async: false"))) == sorted(names_in(table[0][0]))


def test_the_table_of_harnesses_is_complete() -> None:
    [table] = [rows for rows in tables() if rows[0][0] == "`scripted`" and len(rows[0]) == 4]

    assert {names_in(row[0])[0] for row in table} == HARNESSES.keys()
    for row in table:
        [name] = names_in(row[0])
        assert {harnesses.canonical(spelling) for spelling in names_in(row[1])} <= {name}
        assert HARNESSES[name].key_name in ("", *names_in(row[3]))


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of the document, its modules on the import path."""
    write(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.syspath_prepend(tmp_path / "helper" / "tools" / "python")
    return tmp_path


def module(name: str) -> ModuleType:
    """A module of the document, read anew."""
    sys.modules.pop(name, None)
    return import_module(name)


def test_the_function_has_the_schema_that_its_annotations_say(modules: Path) -> None:
    add_todo = module("todo").add_todo

    schema = schema_of(add_todo)

    assert schema["required"] == ["what"]
    assert schema["properties"]["what"] == {"type": "string", "description": "One thing, in a few words."}
    assert schema["properties"]["when"]["enum"] == ["today", "later"]
    assert add_todo("Water the plants", "today") == "It is on the list for today."
    assert (modules / "todo.txt").read_text() == "today: Water the plants\n"
    with pytest.raises(ValueError, match="say what there is to do"):
        add_todo(" ")


async def test_the_mcp_server_answers(modules: Path) -> None:
    server = module("notes").server

    async with Client(server) as client:
        answer: Any = await client.call_tool("shout", {"text": "hello"})

    assert answer.content[0].text == "HELLO"


async def test_the_harness_answers_and_refuses(modules: Path) -> None:
    contribution = module("countdown").COUNTDOWN
    models = Models({}, {contribution.name: contribution.row})
    model = await models.get("countdown")

    def request(text: str) -> ModelRequest:
        return ModelRequest(model="countdown-1", instructions="", items=[said("user", text)])

    events = [event async for event in model.sample(request("3"))]

    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "3 2 1 "
    assert events[-1] == Finished("stop")
    with pytest.raises(ModelError, match="Say a number"):
        [event async for event in model.sample(request("three"))]
    assert models.default_model("countdown") == "countdown-1"
