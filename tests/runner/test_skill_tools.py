"""The skills that a model loads: the agent's, the workspace's and the host's, contained."""

import json
import logging
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from omnigent.runner.agents import Agents, LoadedAgent
from omnigent.runner.skill_shelf import NO_SKILLS
from omnigent.runner.tools import skills
from omnigent.runner.tools.base import ToolContext, ToolError
from omnigent.spec import bundle
from omnigent.spec.types import AgentSpec
from tests.runner.api_rig import Server, make_api
from tests.runner.fake_server import FakeServer
from tests.runner.rig import running
from tests.runner.tool_rig import tool_context

DOCUMENT = "spec_version: 1\nname: a\nprompt: p\nexecutor: {config: {harness: scripted}}\n"


def skill(name: str, text: str, front: str = "") -> bytes:
    return f"---\nname: {name}\ndescription: about {name}\n{front}---\n{text}".encode()


FILES = {
    "config.yaml": DOCUMENT.encode(),
    "skills/review/SKILL.md": skill("review", "The agent's review."),
    "skills/review/lists/long.md": b"1. look\n",
    "skills/review/picture.bin": b"\x89\x00\x01",
    "skills/review/huge.txt": b"x" * (1024 * 1024 + 1),
    "skills/inner/SKILL.md": skill("inner", "For the model.", "user-invocable: no\n"),
    "agents/sub/config.yaml": DOCUMENT.replace("name: a", "name: below").encode(),
    "agents/sub/skills/dig/SKILL.md": skill("dig", "Dig deep."),
    "agents/sub/skills/dig/spade.md": b"a spade",
}


class Bundled(FakeServer):
    """Its agent is the one above, with what a test changes."""

    def __init__(self, **changes: str) -> None:
        super().__init__()
        self.data = bundle.pack({**FILES, **{name: text.encode() for name, text in changes.items()}})

    async def _route(self, method: str, path: str, query: str, body: Any) -> tuple[int, Any]:
        if path.endswith("/agent/contents"):
            return 200, self.data
        return await super()._route(method, path, query, body)


async def loaded(changed: str = "") -> LoadedAgent:
    """The agent as a runner reads it."""
    files = {**FILES, "config.yaml": (DOCUMENT + changed).encode()}
    return await Agents(make_api(Server(contents=[httpx.Response(200, content=bundle.pack(files))]))).load(
        "c"
    )


def offer(root: Path, name: str, text: str, place: str = ".claude/skills") -> Path:
    """A skill on the disk."""
    directory = root / place / name
    directory.mkdir(parents=True)
    (directory / "SKILL.md").write_bytes(skill(name, text))
    return directory


async def context_of(
    tmp_path: Path, changed: str = "", *, sub_agent: str | None = None, home: Path | None = None
) -> ToolContext:
    agent = await loaded(changed)
    spec = agent.for_sub_agent(sub_agent)
    agent = agent.with_skills(spec, [tmp_path, *([home] if home else [])])
    return replace(tool_context(tmp_path, spec=spec), agent=agent)


async def load(context: ToolContext, name: str) -> str:
    return await skills.LoadSkill().run({"name": name}, context)


async def read(context: ToolContext, name: str, path: str) -> str:
    return await skills.ReadSkillFile().run({"skill_name": name, "path": path}, context)


async def test_a_skill_of_the_agent_is_loaded_with_the_names_of_its_files(tmp_path: Path) -> None:
    context = await context_of(tmp_path)

    text = await load(context, "review")

    assert text.startswith(
        "[The skill review. Its files, for read_skill_file: huge.txt, lists/long.md, picture.bin.]"
    )
    assert text.endswith("\n\nThe agent's review.\n")
    assert await read(context, "review", "./lists/long.md") == "1. look\n"
    assert await read(context, "review", "picture.bin") == "[picture.bin is a binary file of 3 bytes]\n"
    assert "It has no other files" in await load(context, "inner")


async def test_what_is_not_there_is_told_with_what_is(tmp_path: Path) -> None:
    context = await context_of(tmp_path)

    with pytest.raises(ToolError, match="no skill 'Review'; there are: inner, review"):
        await load(context, "Review")
    for path, why in (
        ("nope.md", "there is no file"),
        ("../inner/SKILL.md", "there is no file"),
        ("../../config.yaml", "there is no file"),
        ("/etc/passwd", "there is no file"),
        ("huge.txt", "too large"),
    ):
        with pytest.raises(ToolError, match=f"{why}.*lists/long.md"):
            await read(context, "review", path)


async def test_a_sub_agent_has_its_own(tmp_path: Path) -> None:
    context = await context_of(tmp_path, sub_agent="below")

    assert "Dig deep." in await load(context, "dig")
    assert await read(context, "dig", "spade.md") == "a spade"
    with pytest.raises(ToolError, match="there are: dig"):
        await load(context, "review")


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        ("", {"review", "inner", "local", "other", "mine"}),
        ("skills: all\n", {"review", "inner", "local", "other", "mine"}),
        ("skills: none\n", {"review", "inner"}),
        ("skills: [local, gone]\n", {"review", "inner", "local"}),
    ],
)
async def test_the_agent_chooses_from_the_hosts_skills(tmp_path: Path, chosen: str, names: set[str]) -> None:
    workspace, home = tmp_path / "w", tmp_path / "h"
    offer(workspace, "local", "Of the workspace.")
    offer(workspace, "other", "Of the workspace.", ".agents/skills")
    offer(workspace, "review", "Not the agent's.")
    offer(home, "local", "Of the host.")
    offer(home, "mine", "Of the host.")

    context = await context_of(workspace, chosen, home=home)

    assert set(context.agent.shelf.skills) == names
    assert "The agent's review." in await load(context, "review")
    if "local" in names:
        assert "Of the workspace." in await load(context, "local")
    assert set(context.agent.skills) == names - {"inner"}


async def test_skills_on_the_disk_are_read_without_following_links(tmp_path: Path) -> None:
    workspace = tmp_path / "w"
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "SKILL.md").write_bytes(skill("linked", "A secret."))
    (secret / "notes.md").write_text("A secret.")
    directory = offer(workspace, "good", "Good.")
    (directory / "notes.md").write_text("notes")
    (directory / "link.md").symlink_to(secret / "notes.md")
    (directory / "deep").symlink_to(secret)
    os.mkfifo(directory / "pipe")
    (workspace / ".claude/skills/linked").symlink_to(secret)
    bad = workspace / ".claude/skills/bad"
    bad.mkdir()
    (bad / "SKILL.md").symlink_to(secret / "SKILL.md")
    broken = workspace / ".claude/skills/broken"
    broken.mkdir()
    (broken / "SKILL.md").write_bytes(b"---\nname: [\n---\n")

    context = await context_of(workspace)

    assert set(context.agent.shelf.skills) == {"review", "inner", "good"}
    assert "for read_skill_file: notes.md.]" in await load(context, "good")
    assert await read(context, "good", "notes.md") == "notes"
    for path in (
        "link.md",
        "deep/notes.md",
        "pipe",
        "../good/notes.md",
        "/etc/passwd",
        "",
        "a\0b",
        "SKILL.md/x",
    ):
        with pytest.raises(ToolError, match=r"cannot be read|no path"):
            await read(context, "good", path)


async def test_a_linked_place_is_none(tmp_path: Path) -> None:
    offer(tmp_path / "elsewhere", "far", "Far.", "skills")
    (tmp_path / "w").mkdir()
    (tmp_path / "w/.claude").symlink_to(tmp_path / "elsewhere")

    assert set((await context_of(tmp_path / "w")).agent.shelf.skills) == {"review", "inner"}


async def test_the_model_is_told_what_there_is(tmp_path: Path) -> None:
    context = await context_of(tmp_path)

    offered = skills.granted(context.spec, context.agent.shelf)

    assert set(offered) == {"load_skill", "read_skill_file"}
    assert "- review: about review" in offered["load_skill"].schema.description
    bare = skills.granted(AgentSpec(name="bare"), NO_SKILLS)
    assert set(bare) == {"load_skill"}
    assert "none at present" in bare["load_skill"].schema.description


async def test_a_session_offers_and_resolves_the_same_set(tmp_path: Path) -> None:
    offer(tmp_path, "local", "Of the workspace: $ARGUMENTS.")
    async with running(tmp_path, server=Bundled()) as rig:
        listed = await rig.server.request(
            "POST",
            "/v1/sessions/conv_1/mcp/execute",
            {"method": "tools/list", "_omnigent_operation": {"id": "1"}},
        )
        status, answer = await rig.server.request(
            "POST", "/v1/sessions/conv_1/skills/resolve", {"name": "local", "arguments": "now"}
        )
        missing = await rig.server.request("POST", "/v1/sessions/conv_1/skills/resolve", {"name": "no"})

    tools = {row["name"]: row for row in listed[1]["result"]["schemas"]}
    assert "- local: about local" in tools["load_skill"]["description"]
    assert (status, "Of the workspace: now." in answer["meta_text"]) == (200, True)
    assert missing[1]["available"] == ["local", "review"]


async def test_a_tool_for_one_skill_passes_the_gate_as_load_skill(tmp_path: Path) -> None:
    rows = "tools: {reviewing: {type: skill, skill: review}, lost: {type: skill}}\n"
    server = Bundled(**{"config.yaml": DOCUMENT + rows})
    asked: list[dict[str, Any]] = []

    async def gate(body: dict[str, Any]) -> dict[str, Any]:
        asked.append({key: body["params"][key] for key in ("name", "arguments")})
        return await server.allow(body)

    server.gate = gate
    async with running(tmp_path, server=server) as rig:

        async def call(name: str) -> str:
            request = {
                "method": "tools/call",
                "params": {"name": name, "arguments": {}},
                "_omnigent_operation": {"id": name},
            }
            _, answer = await rig.server.request("POST", "/v1/sessions/conv_1/mcp/execute", request)
            return str(answer["result"]["output"])

        assert "The agent's review." in await call("reviewing")
        assert "no skill 'lost'" in await call("lost")

    assert json.dumps(asked) == json.dumps(
        [{"name": "load_skill", "arguments": {"name": name}} for name in ("review", "lost")]
    )


async def test_what_a_lenient_reading_left_out_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    rows = "tools: {table: {type: function, catalog_path: a.b, warehouse_id: c}}\n"
    data = bundle.pack({"config.yaml": (DOCUMENT + rows).encode()})
    operators = httpx.Response(200, content=data, headers={"X-Agent-Session-Scoped": "false"})
    agents = Agents(make_api(Server(contents=[httpx.Response(200, content=data), operators])))

    with caplog.at_level(logging.WARNING, "omnigent.runner.agents"):
        for _ in range(3):
            await agents.load("conv_1")

    [record] = caplog.records
    assert "Unity Catalog" in str(record.__dict__["warning"])
