"""Skills that people call: the runner's route, and what a reload makes of a stored command."""

from pathlib import Path
from typing import Any

import pytest

from omnigent.runner.agents import LoadedAgent
from omnigent.runner.history import loaded
from omnigent.runner.skills import spelled_out
from omnigent.spec import bundle
from omnigent.spec.calling import UnknownSkill, call, callable_skills
from tests.runner.fake_server import FakeServer
from tests.runner.rig import running

DOCUMENT = "spec_version: 1\nname: a\nprompt: p\nexecutor: {config: {harness: scripted}}\n"


def packed(**skills: str) -> bytes:
    files = {f"skills/{name}/SKILL.md": text.encode() for name, text in skills.items()}
    return bundle.pack({"config.yaml": DOCUMENT.encode(), **files})


def skill(name: str, text: str, front: str = "") -> str:
    return f"---\nname: {name}\ndescription: d\n{front}---\n{text}"


AGENT = packed(
    review=skill("review", "\nRead $ARGUMENTS, then $ARGUMENTS again.\n"),
    ship=skill("ship", "Release it."),
    inner=skill("inner", "Secret.", "user-invocable: no\n"),
)
SKILLS = callable_skills(AGENT)


@pytest.mark.parametrize(
    ("name", "arguments", "end"),
    [
        ("review", "a b", "\n\nRead a b, then a b again."),
        ("review", "", "\n\nRead , then  again."),
        ("ship", "", "\n\nRelease it."),
        ("ship", " now ", "\n\nRelease it.\n\nArguments: now"),
    ],
)
def test_a_called_skill_says_what_its_file_says(name: str, arguments: str, end: str) -> None:
    text = call(SKILLS, name, arguments)

    assert text.endswith(end)
    assert f"skill {name}" in text


@pytest.mark.parametrize("name", ["inner", "nope", "", "../ship"])
def test_other_names_are_unknown(name: str) -> None:
    with pytest.raises(UnknownSkill) as unknown:
        call(SKILLS, name, "")

    assert unknown.value.available == ("review", "ship")


class SkilledServer(FakeServer):
    """Its agent has skills."""

    async def _route(self, method: str, path: str, query: str, body: Any) -> tuple[int, Any]:
        if path.endswith("/agent/contents"):
            return 200, AGENT
        return await super()._route(method, path, query, body)


async def test_the_route_resolves_a_skill(tmp_path: Path) -> None:
    async with running(tmp_path, server=SkilledServer()) as rig:

        async def resolve(**body: Any) -> tuple[int, Any]:
            return await rig.server.request("POST", "/v1/sessions/conv_1/skills/resolve", body)

        status, answer = await resolve(name="review", arguments="main")
        assert (status, answer) == (200, {"meta_text": call(SKILLS, "review", "main")})
        assert (await resolve(name="ship"))[0] == 200
        status, answer = await resolve(name="nope")
        assert (status, answer["error"], answer["available"]) == (404, "skill_not_found", ["review", "ship"])
        for bad in ({}, {"name": 7}, {"name": ""}, {"name": "ship", "arguments": 7}):
            assert (await resolve(**bad))[0] == 400


def command(name: str, arguments: str = "", item_id: str = "item_1", **more: Any) -> dict[str, Any]:
    head = {"id": item_id, "type": "slash_command", "kind": "skill", "name": name}
    return {**head, "arguments": arguments, **more}


def test_a_stored_command_is_shown_as_what_it_said() -> None:
    agent = LoadedAgent(spec=bundle.read(AGENT), digest="", skills=SKILLS)
    gone, other = command("gone"), command("ship", kind="command")

    shown, *rest = spelled_out([command("review", "main"), gone, other], agent)

    assert (shown["id"], shown["type"], shown["role"]) == ("item_1", "message", "user")
    assert shown["content"] == [{"type": "input_text", "text": call(SKILLS, "review", "main")}]
    assert rest == [gone, other]


def test_commands_on_their_way_come_by_themselves() -> None:
    items = [command("ship", item_id="item_0"), command("ship", item_id="item_1"), command("review")]

    assert [item["id"] for item in loaded(items, "item_1")] == ["item_0"]


async def test_a_runner_that_starts_anew_reads_the_command_as_its_text(tmp_path: Path) -> None:
    server = SkilledServer()
    server.items = [command("review", "Say hello", item_id="item_0")]
    async with running(tmp_path, server=server) as rig:
        stream = rig.server.subscribe()
        await rig.turn("Summarise the conversation so far.", stream)

    assert "- user: [The user calls the skill review." in stream.text()
