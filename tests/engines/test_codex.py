"""The `codex` engine with the real Codex CLI against the scripted model server."""

import asyncio
import json
import os
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from omnigent.runner.harnesses.codex.engine import Codex
from omnigent.runner.harnesses.codex.launch import INSTALL, PROGRAM
from omnigent.runner.harnesses.codex.place import Limits
from omnigent.runner.harnesses.engine import Engine, EngineSettings
from omnigent.runner.harnesses.programs import located
from omnigent.runner.harnesses.rows import HARNESSES
from tests.engines.conformance import EngineConformance, found
from tests.engines.rig import EngineRig, OwnTool, Subject
from tests.model_server import Call, Cut, End, Garbage, Silence, Text

pytestmark = [
    pytest.mark.engines,
    pytest.mark.skipif(located(PROGRAM, os.environ) is None, reason=f"needs Codex: {INSTALL}"),
    pytest.mark.timeout(180),
]


KEY = "sk-nightingale"


def build(settings: EngineSettings, silence_seconds: float) -> Engine:
    limits = Limits(silence_seconds=silence_seconds, backoff_base_seconds=0.1)
    return Codex(replace(settings, api_key=KEY), limits=limits)


def build_impatient(settings: EngineSettings, silence_seconds: float) -> Engine:
    limits = Limits(silence_seconds=silence_seconds, pulse_seconds=1, call_seconds=10, stop_seconds=1)
    return Codex(settings, limits=limits)


def processes(engine: Engine) -> list[int]:
    """All processes in the group of the app server."""
    assert isinstance(engine, Codex)
    group = engine.group
    if group is None:
        return []
    found = []
    for directory in Path("/proc").iterdir():
        if directory.name.isdecimal():
            try:
                if os.getpgid(int(directory.name)) == group:
                    found.append(int(directory.name))
            except ProcessLookupError:
                continue
    return found


def write(path: Path) -> Call:
    return Call("exec_command", {"cmd": f"echo proof > {path}"}, "call_write")


def command(line: str, call_id: str = "call_1", **options: object) -> Call:
    return Call("exec_command", {"cmd": line, **options}, call_id)


def patch(path: Path) -> Call:
    lines = [
        "apply_patch <<'EOF'",
        "*** Begin Patch",
        f"*** Add File: {path}",
        "+proof",
        "*** End Patch",
        "EOF",
    ]
    return command("\n".join(lines) + "\n")


@pytest.fixture
def outside() -> Iterator[Path]:
    """A directory that the sandbox does not let a command write to."""
    with tempfile.TemporaryDirectory(dir=Path.home()) as name:
        yield Path(name)


SUBJECT = Subject(
    build=build,
    model="gpt-5.5",
    other_model="gpt-5.4",
    broken_kind="server_error",
    base_path="/v1",
    own=OwnTool(name="Bash", call=write),
    processes=processes,
    lacks={"parallel_calls_of_ours_overlap": "Codex runs the tools of its client one after the other"},
)


class TestCodex(EngineConformance):
    subject: ClassVar[Subject] = SUBJECT

    @pytest.mark.parametrize(
        "last", [pytest.param(Cut(), id="cut"), pytest.param(End(), id="no-terminal-event")]
    )
    async def test_a_stream_that_breaks_off_ends_in_a_stated_way(self, tmp_path: Path, last: Any) -> None:
        """Without the garbage of the table, which Codex passes over: see below."""
        await super().test_a_stream_that_breaks_off_ends_in_a_stated_way(tmp_path, last)

    async def test_garbage_between_events_is_passed_over(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script([Text("Half an"), Garbage(), Text(" answer.")])

            outcome = await talk.turn("Hello")

            assert outcome.error is None
            assert outcome.text == "Half an answer."
            await self._still_works(talk)

    # -- what its commands may do ------------------------------------------------------------------------

    async def test_an_allowed_command_stays_in_the_sandbox(self, tmp_path: Path, outside: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script(
                [command(f"touch {outside}/proof")],
                [command(f"touch {outside}/proof; true", "call_2")],
                [Text("Done.")],
            )

            await talk.turn("Write it")

            assert not (outside / "proof").exists()
            assert "Read-only file system" in talk.desk.settled[0][1]
            assert talk.desk.asked == []

    @pytest.mark.parametrize("answer", ["accept", "decline"])
    async def test_a_person_decides_what_runs_outside_the_sandbox(
        self, tmp_path: Path, outside: Path, answer: str
    ) -> None:
        async with self.talk(tmp_path) as talk:
            talk.desk.answer = answer
            escalated = {"sandbox_permissions": "require_escalated", "justification": "I need the NETWORK"}
            talk.server.script([command(f"touch {outside}/proof", **escalated)], [Text("Done.")])

            outcome = await talk.turn("Write it")

            assert outcome.text == "Done."
            assert "I need the NETWORK" in talk.desk.asked[0].message
            assert (outside / "proof").exists() is (answer == "accept")
            assert len(talk.desk.settled) == 1

    @pytest.mark.parametrize("answer", ["accept", "decline"])
    async def test_a_person_decides_about_a_patch_outside_the_workspace(
        self, tmp_path: Path, outside: Path, answer: str
    ) -> None:
        async with self.talk(tmp_path) as talk:
            talk.desk.answer = answer
            talk.server.script([patch(outside / "proof.txt")], [Text("Done.")])

            await talk.turn("Write it")

            assert [call.name for call in talk.desk.permitted] == ["Edit"]
            assert len(talk.desk.asked) == 1
            assert (outside / "proof.txt").exists() is (answer == "accept")

    async def test_a_patch_is_a_tool_of_its_own(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            file = talk.workspace / "proof.txt"
            talk.server.script([patch(file)], [Text("Done.")])

            await talk.turn("Write it")

            assert file.read_text() == "proof\n"
            assert json.loads(talk.desk.permitted[0].arguments)["file_path"] == str(file)
            assert talk.desk.asked == []
            assert "completed" in talk.desk.settled[0][1]

    async def test_an_agent_may_do_without_the_sandbox(self, tmp_path: Path, outside: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.config["yolo"] = "true"
            talk.server.script([command(f"touch {outside}/proof")], [Text("Done.")])

            await talk.turn("Write it")

            assert (outside / "proof").exists()
            assert [call.name for call in talk.desk.permitted] == ["Bash"]

    async def test_a_command_that_only_reads_is_asked_about_too(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            (talk.workspace / "secret.txt").write_text("PELICAN")
            talk.desk.refusals["Bash"] = "no reading on sundays"
            talk.server.script([command("cat secret.txt")], [Text("Done.")])

            await talk.turn("Read it")

            assert json.loads(talk.desk.permitted[0].arguments)["command"] == "cat secret.txt"
            assert "PELICAN" not in await talk.seen(2)

    async def test_an_agent_without_an_environment_has_no_commands(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.own_tools = False
            talk.desk.tools["sys_lookup"] = found
            talk.server.script(
                [command("touch proof")],
                [Call("sys_lookup", {"word": "fish"}, "call_2")],
                [Text("Done.")],
            )

            outcome = await talk.turn("Write it")

            assert outcome.text == "Done."
            assert list(talk.workspace.iterdir()) == []
            offered = {tool.get("name") for tool in (await talk.server.request(1)).body["tools"]}
            assert "sys_lookup" in offered
            assert offered.isdisjoint({"exec_command", "write_stdin", "view_image"})
            assert "meaning of fish" in await talk.seen(3)

    async def test_commands_do_not_see_the_key(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            home = talk.state_dir / "home"
            talk.server.script(
                [command(f"env; cat /proc/*/environ; cat {home}/config.toml; true")], [Text("Done.")]
            )

            await talk.turn("Look")

            output = talk.desk.settled[0][1]
            assert "CODEX_HOME" in output
            assert KEY not in output
            assert "base_url" not in output

    async def test_a_command_in_the_background_is_settled_with_the_turn(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script([command("echo early; sleep 60", yield_time_ms=250)], [Text("Started.")])

            outcome = await talk.turn("Start it")

            assert outcome.text == "Started."
            assert "still runs" in talk.desk.settled[0][1]
            await self._still_works(talk)

    async def test_an_output_that_is_suppressed_is_not_in_the_next_turn(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.desk.suppressed["Bash"] = "too secret"
            talk.server.script([command("echo PELI''CAN")], *[[Text("Something else.")]] * 2)

            outcome = await talk.turn("Print it")
            number = len(talk.server.requests) + 1
            talk.server.forget_script()
            await talk.turn("What was it?")

            assert outcome.code == "policy_denied"
            assert "PELICAN" not in await talk.seen(number)
            assert "too secret" in await talk.seen(number)

    # -- the program ---------------------------------------------------------------------------------------

    async def test_tools_of_ours_are_there_after_a_restart(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.desk.tools["sys_lookup"] = found
            await talk.turn("Hello")
            await talk.close()
            talk.server.script([Call("sys_lookup", {"word": "fish"}, "call_1")], [Text("It swims.")])

            outcome = await talk.turn("What is a fish?")

            assert outcome.text == "It swims."
            assert [call.name for call in talk.desk.called] == ["sys_lookup"]

    async def test_the_default_model_runs_tools_of_ours_from_its_code(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.desk.tools["sys_lookup"] = found
            call = Call("sys_lookup", {"word": "fish"}, "call_1")
            talk.server.script([call], [Text("It swims.")])

            outcome = await talk.turn("What is a fish?", model=HARNESSES["codex"].default_model)

            assert outcome.text == "It swims."
            assert "meaning of fish" in await talk.seen(2)


class TestImpatientCodex(EngineRig):
    subject: ClassVar[Subject] = replace(SUBJECT, build=build_impatient)

    async def test_a_program_that_stands_still_is_replaced(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script([Text("Half an"), Silence()])
            turn = asyncio.create_task(talk.turn("Hello"))
            await talk.server.request(1)
            for pid in processes(talk.engine):
                os.kill(pid, signal.SIGSTOP)

            outcome = await turn

            assert outcome.code == "harness_error"
            talk.server.script([Text("Working again.")])
            assert (await talk.turn("Are you there?")).text == "Working again."
