"""A session's engine over its turns: kept between them, closed when it has rested for long, resumed then."""

from collections.abc import AsyncGenerator
from pathlib import Path

from omnigent.runner.harnesses.base import Finished, ModelRequest, SampleEvent, TextDelta, ToolCall
from omnigent.runner.harnesses.engine import Desk, EngineSettings
from omnigent.runner.harnesses.rows import HarnessRow
from tests.runner.fake_server import FakeServer, until
from tests.runner.rig import running


class Diary:
    """An engine that calls one of its own tools when asked to, and keeps its life in its state directory."""

    samples_itself = True

    def __init__(self, settings: EngineSettings) -> None:
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        self.page = settings.state_dir / "diary"
        self.may_act = settings.own_tools
        self.note("made")

    def note(self, word: str) -> None:
        with self.page.open("a") as page:
            page.write(f"{word}\n")

    async def run(self, request: ModelRequest, desk: Desk) -> AsyncGenerator[SampleEvent, None]:
        self.note("turn")
        yield TextDelta("Looking. ")
        if "act" in str(request.items[-1]):
            call = ToolCall(call_id="c1", name="Bash", arguments='{"command": "ls"}')
            verdict = await desk.permit(call)
            await desk.settle(call, "a file" if verdict.is_allowed else verdict.refusal)
        yield TextDelta("Done.")
        yield Finished("stop")

    async def close(self) -> None:
        self.note("closed")


HARNESSES = {
    "scripted": HarnessRow(adapter=f"{__name__}:Diary", default_model="none", samples_with="plain"),
    "plain": HarnessRow(adapter="omnigent.runner.harnesses.scripted:Scripted", default_model="none"),
}


def diary(tmp_path: Path) -> list[str]:
    (page,) = (tmp_path / "state").rglob("diary")
    return page.read_text().split()


async def test_an_engine_that_rests_is_closed_and_the_next_turn_has_another(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "OMNIGENT_STATE_DIR": str(tmp_path / "state")}
    async with running(
        tmp_path, harnesses=HARNESSES, engine_idle_seconds=0.05, environment=environment
    ) as rig:
        stream = rig.server.subscribe()
        await rig.turn("hello", stream)
        await until(lambda: diary(tmp_path) == ["made", "turn", "closed"])
        await rig.turn("again", stream)
        await until(lambda: diary(tmp_path) == ["made", "turn", "closed"] * 2)


async def test_an_engine_is_kept_between_turns_and_closed_with_its_runner(tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "OMNIGENT_STATE_DIR": str(tmp_path / "state")}
    async with running(tmp_path, harnesses=HARNESSES, environment=environment) as rig:
        stream = rig.server.subscribe()
        await rig.turn("hello", stream)
        await rig.turn("again", stream)
        assert diary(tmp_path) == ["made", "turn", "turn"]

    assert diary(tmp_path) == ["made", "turn", "turn", "closed"]


async def test_an_own_tool_of_an_engine_is_announced_judged_and_kept(tmp_path: Path) -> None:
    server = FakeServer()
    environment = {"PATH": "/usr/bin:/bin", "OMNIGENT_STATE_DIR": str(tmp_path / "state")}
    async with running(tmp_path, server=server, harnesses=HARNESSES, environment=environment) as rig:
        stream = rig.server.subscribe()
        await rig.turn("act", stream)

    phases = [body["event"]["type"] for _, path, body in server.calls if path.endswith("evaluate")]
    assert phases == ["PHASE_LLM_REQUEST", "PHASE_TOOL_CALL", "PHASE_TOOL_RESULT", "PHASE_LLM_RESPONSE"]
    items = [event["item"] for event in stream.of_type("response.output_item.done")]
    assert [(item["type"], item["status"]) for item in items] == [
        ("function_call", "in_progress"),
        ("function_call", "completed"),
        ("function_call_output", "completed"),
    ]
    assert items[-1]["output"] == "a file"
    assert stream.text() == "Looking. Done."


async def test_a_refused_result_of_an_engine_is_not_kept(tmp_path: Path) -> None:
    server = FakeServer()

    async def judge(body: dict[str, dict[str, str]]) -> dict[str, str]:
        if body["event"]["type"] == "PHASE_TOOL_RESULT":
            return {"result": "POLICY_ACTION_DENY", "reason": "secret"}
        return {"result": "POLICY_ACTION_ALLOW"}

    server.judge = judge
    environment = {"PATH": "/usr/bin:/bin", "OMNIGENT_STATE_DIR": str(tmp_path / "state")}
    async with running(tmp_path, server=server, harnesses=HARNESSES, environment=environment) as rig:
        stream = rig.server.subscribe()
        await rig.turn("act", stream)

    items = [event["item"] for event in stream.of_type("response.output_item.done")]
    assert items[-1]["output"] == "[Result suppressed by policy: secret]"
