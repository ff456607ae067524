"""The `claude-sdk` harness: the real program against the scripted Messages server."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

pytest.importorskip("claude_agent_sdk", reason="requirements-harness-claude.txt is not installed")

from omnigent.runner.approvals import Declined
from omnigent.runner.harnesses.base import ModelError, ModelRequest
from omnigent.runner.harnesses.claude_sdk.engine import ClaudeSdk, Limits
from omnigent.runner.harnesses.engine import Engine, EngineSettings
from omnigent.runner.harnesses.rows import HARNESSES
from tests.engines.conformance import EngineConformance
from tests.engines.rig import OwnTool, Subject, said
from tests.model_server import Call, Silence, Text

pytestmark = pytest.mark.engines


def build(settings: EngineSettings, silence_seconds: float) -> Engine:
    return ClaudeSdk(settings, Limits(silence_seconds=silence_seconds))


def programs(engine: Engine) -> list[int]:
    """Tests of one process run one after the other, so that the program is that of the engine."""
    return [child.pid for child in psutil.Process().children() if child.name() == "claude"]


def write(path: Path) -> Call:
    return Call("Write", {"file_path": str(path), "content": "proof"}, "toolu_write")


class TestClaudeSdk(EngineConformance):
    subject = Subject(
        build=build,
        model="claude-sonnet-5-5",
        other_model="claude-opus-5",
        broken_kind="overloaded_error",
        own=OwnTool(name="Write", call=write),
        offered=lambda name: f"mcp__omnigent__{name}",
        processes=programs,
    )

    # -- what only this engine has ---------------------------------------------------------------------

    async def test_a_person_who_declines_ends_the_turn(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:

            async def declined(arguments: Mapping[str, Any]) -> str:
                raise Declined("elicit_1")

            talk.desk.tools["sys_lookup"] = declined
            call = Call("mcp__omnigent__sys_lookup", {"word": "fish"}, "toolu_1")
            talk.server.script([call], [Text("Something else.")])

            with pytest.raises(Declined):
                await talk.turn("What is a fish?")
            outcome = await talk.turn("Never mind")

            assert outcome.text == "Something else."

    async def test_a_suppressed_output_is_not_shown_to_the_model(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.desk.suppressed["Bash"] = "it is private"
            command = "echo pri; echo vate | tr a-z A-Z"
            talk.server.script([Call("Bash", {"command": command}, "toolu_1")], [Text("Hidden.")])

            outcome = await talk.turn("Show it")

            assert outcome.text == "Hidden."
            assert "it is private" in await talk.seen(2)
            assert "VATE" not in await talk.seen(2)

    async def test_a_suppressed_output_of_a_failure_ends_the_turn(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.desk.suppressed["Bash"] = "it is private"
            command = "echo pri; echo vate | tr a-z A-Z; false"
            talk.server.script([Call("Bash", {"command": command}, "toolu_1")], [Text("Something else.")])

            refused = await talk.turn("Show it")
            outcome = await talk.turn("Never mind")

            assert refused.code == "policy_denied"
            assert outcome.text == "Something else."
            assert not any("VATE" in str(request.body) for request in talk.server.requests)

    async def test_commands_have_neither_the_key_nor_the_runners_secrets(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OMNIGENT_RUNNER_TOKEN", "very-secret")
        async with self.talk(tmp_path) as talk:
            talk.environment["GREETING"] = "hello"
            talk.server.script([Call("Bash", {"command": "env"}, "toolu_1")], [Text("Seen.")])

            await talk.turn("Show it")

            [(_, output)] = talk.desk.settled
            assert "GREETING=hello" in output
            assert "ANTHROPIC_API_KEY" not in output
            assert "OMNIGENT_RUNNER_TOKEN" not in output

    async def test_nothing_but_the_base_url_is_asked(self, tmp_path: Path) -> None:
        others: list[bytes] = []

        async def overhear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            others.append(await reader.readline())
            writer.close()

        proxy = await asyncio.start_server(overhear, "127.0.0.1", 0)
        address = f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
        async with proxy, self.talk(tmp_path) as talk:
            talk.environment |= {"HTTPS_PROXY": address, "HTTP_PROXY": address, "NO_PROXY": "127.0.0.1"}
            await talk.turn("Hello")
            await talk.close()

        assert others == []
        assert [request.path for request in talk.server.requests] == ["/v1/messages"]

    async def test_planning_changes_nothing(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.config["permission_mode"] = "plan"
            proof = talk.workspace / "proof.txt"
            talk.server.script([write(proof)], [Text("A plan.")])

            outcome = await talk.turn("Write it")

            assert outcome.text == "A plan."
            assert not proof.exists()
            assert [call.name for call, _ in talk.desk.settled] == ["Write"]

    async def test_an_unknown_permission_mode_is_refused(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.config["permission_mode"] = "yolo"

            with pytest.raises(ModelError, match="permission_mode 'yolo'") as problem:
                await talk.turn("Hello")

            assert problem.value.code == "harness_not_configured"

    @pytest.mark.parametrize(("mode", "is_whole"), [("append", True), ("replace", False), ("", False)])
    async def test_instructions_replace_the_programs_own_unless_told_otherwise(
        self, tmp_path: Path, mode: str, is_whole: bool
    ) -> None:
        async with self.talk(tmp_path) as talk:
            talk.config |= {"system_prompt_mode": mode} if mode else {}
            await talk.turn("Hello")

            system = str((await talk.server.request(1)).body["system"])
            assert "Be brief." in system
            assert (len(system) > 2_000) is is_whole

    async def test_what_people_write_is_no_command(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            (talk.workspace / "notes.txt").write_text("the LIGHTHOUSE")
            talk.server.script([Text("No.")], [Text("No.")])
            await talk.turn("/clear")
            await talk.turn("Read @notes.txt")

            assert "/clear" in await talk.seen(1)
            assert "Read @notes.txt" in await talk.seen(2)
            assert "LIGHTHOUSE" not in await talk.seen(2)

    async def test_settings_of_the_workspace_are_not_obeyed(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            folder = talk.workspace / ".claude"
            folder.mkdir()
            hook = {"hooks": [{"type": "command", "command": f"touch {tmp_path}/hooked"}]}
            (folder / "settings.json").write_text(json.dumps({"hooks": {"UserPromptSubmit": [hook]}}))

            await talk.turn("Hello")

            assert not (tmp_path / "hooked").exists()

    async def test_a_program_that_does_not_start_in_time_fails_the_turn(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            settings = EngineSettings(
                session_id="conv_1",
                state_dir=tmp_path / "other",
                workspace=talk.workspace,
                environment=talk.environment,
                api_key="key",
                base_url=talk.server.url,
            )
            engine = ClaudeSdk(settings, Limits(start_seconds=0.001))
            request = ModelRequest(model=self.subject.model, instructions="", items=[said("user", "Hello")])
            with pytest.raises(ModelError, match="did not start within") as problem:
                async for _ in engine.run(request, talk.desk):
                    pass
            await engine.close()

            assert problem.value.code == "harness_error"
            assert programs(engine) == []

    @pytest.mark.parametrize("content", ["", "{", '{"version": 1}', "[]"])
    async def test_a_state_that_cannot_be_read_is_as_good_as_none(self, tmp_path: Path, content: str) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script([Text("Noted, ALBATROSS.")], [Text("You said it.")])
            await talk.turn("Remember PENGUIN")
            await talk.close()
            (talk.state_dir / "conversation.json").write_text(content)

            outcome = await talk.turn("What was it?")

            assert outcome.text == "You said it."
            assert (await talk.seen(2)).count("Remember PENGUIN") == 1

    async def test_a_steered_conversation_goes_on_in_the_same_session(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:

            async def interjected(arguments: Mapping[str, Any]) -> str:
                content = [{"type": "input_text", "text": "Rather a WHALE"}]
                talk.desk.coming.append({"role": "user", "content": content})
                return "meaning of fish"

            talk.desk.tools["sys_lookup"] = interjected
            call = Call("mcp__omnigent__sys_lookup", {"word": "fish"}, "toolu_1")
            talk.server.script([Text("Looking. "), call], [Text("A whale.")], [Text("Yes.")])
            await talk.turn("What is a FISH?")

            await talk.turn("Really?")

            body = (await talk.server.request(3)).body
            assert str(body).count("Rather a WHALE") == 1
            assert str(body).count("What is a FISH?") == 1
            assert "conversation_so_far" not in str(body)
            assert [message["role"] for message in body["messages"]].count("assistant") == 2

    async def test_an_interrupted_conversation_goes_on_in_the_same_session(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script([Text("Half an ALBATROSS"), Silence()], [Text("Something else.")])
            turn = asyncio.create_task(talk.turn("Tell me a story"))
            await talk.until(lambda: "ALBATROSS" in str(talk.desk.journal))
            await talk.interrupt(turn)

            await talk.turn("Never mind")

            seen = await talk.seen(2)
            assert seen.count("Half an ALBATROSS") == 1
            assert seen.count("Tell me a story") == 1
            assert "[System: interrupted]" in seen
            assert "conversation_so_far" not in seen


def test_a_key_or_a_login_makes_it_ready(tmp_path: Path) -> None:
    row = HARNESSES["claude-sdk"]

    assert "ANTHROPIC_API_KEY" in row.missing({"HOME": str(tmp_path)})
    assert row.is_ready({"HOME": str(tmp_path), "ANTHROPIC_API_KEY": "key"})
    (tmp_path / ".claude").mkdir()
    (tmp_path / ".claude" / ".credentials.json").write_text("{}")
    assert row.is_ready({"HOME": str(tmp_path)})
