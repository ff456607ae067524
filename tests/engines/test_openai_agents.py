"""The `openai-agents` harness: the real package against the scripted model server, in both of its APIs."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("agents", reason="requirements-harness-openai-agents.txt is not installed")

from omnigent.runner.approvals import Declined
from omnigent.runner.harnesses.base import ModelError, ModelRequest, ModelSettings, ToolCall
from omnigent.runner.harnesses.engine import Engine, EngineSettings
from omnigent.runner.harnesses.fields import is_json
from omnigent.runner.harnesses.openai_agents.engine import OpenAIAgents
from omnigent.runner.harnesses.retry import RetryLoop
from omnigent.runner.policy_gate import Verdict, last_user_text
from tests.engines.conformance import EngineConformance, found
from tests.engines.desk import ScriptedDesk
from tests.engines.rig import Subject, Talk, said
from tests.model_server import Call, Fail, Garbage, Reasoning, Stop, Text

pytestmark = pytest.mark.engines

NO_PROCESS = "the engine is a library in the runner's own process"
NO_TOOLS = "the engine has no tools of its own"
LACKS: Mapping[str, str] = {
    "closing_ends_every_process": NO_PROCESS,
    "a_killed_process_fails_the_turn_and_the_next_has_a_new_one": NO_PROCESS,
    "a_process_killed_between_turns_is_replaced": NO_PROCESS,
    "an_own_tool_runs_when_permitted": NO_TOOLS,
    "an_own_tool_that_is_refused_does_not_run": NO_TOOLS,
    "an_own_tool_that_the_agent_may_not_have_does_not_run": NO_TOOLS,
    "an_own_tool_waits_for_its_approval": NO_TOOLS,
}


def build(settings: EngineSettings, silence_seconds: float) -> Engine:
    fast = ModelSettings(backoff_base_seconds=0.01)
    return OpenAIAgents(replace(settings, timeout_seconds=silence_seconds), retry=RetryLoop(fast))


def build_chat(settings: EngineSettings, silence_seconds: float) -> Engine:
    return build(replace(settings, config={"use_responses": "false"}), silence_seconds)


RESPONSES = Subject(
    build=build,
    model="gpt-5.6-terra",
    other_model="gpt-5.6-luna",
    broken_kind="server_error",
    base_path="/v1",
    lacks=LACKS,
)


class RefusingDesk(ScriptedDesk):
    """Takes over another desk's tools, and refuses every request to the model but the first ones."""

    def __init__(self, other: ScriptedDesk, *, allowed: int) -> None:
        super().__init__()
        self.tools = other.tools
        self._allowed = allowed

    async def may_sample(self, request: ModelRequest) -> Verdict:
        await super().may_sample(request)
        return Verdict(is_allowed=len(self.sampled) <= self._allowed, reason="too dear")


class CarefulDesk(ScriptedDesk):
    """Answers arguments that are no JSON, as a session's desk does."""

    async def call(self, call: ToolCall) -> str:
        if is_json(call.arguments):
            return await super().call(call)
        output = "Error: the arguments are not valid JSON"
        self.settled.append((call, output))
        return output


class _OpenAIAgents(EngineConformance):
    wrong_shape: bytes

    @asynccontextmanager
    async def talk(self, root: Path, *, silence_seconds: float = 30.0) -> AsyncIterator[Talk]:
        async with super().talk(root, silence_seconds=silence_seconds) as talk:
            talk.desk = CarefulDesk()
            yield talk

    @pytest.fixture(autouse=True)
    def _has_a_directory(self, tmp_path: Path) -> None:
        """The engine keeps no files, so that it makes no directory for them either."""
        (tmp_path / "state" / "conv_1" / "engine").mkdir(parents=True)

    async def test_a_steering_message_stays_where_it_came_in(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:

            async def interjected(arguments: Mapping[str, Any]) -> str:
                if arguments["word"] == "fish":
                    talk.desk.coming.append(said("user", "Rather a WHALE please"))
                return f"meaning of {arguments['word']}"

            talk.desk.tools["sys_lookup"] = interjected
            fish, whale = (Call("sys_lookup", {"word": word}, f"call_{word}") for word in ("fish", "whale"))
            talk.server.script([fish], [whale], [Text("A mammal.")])

            await talk.turn("What is a fish?")

            for number in (2, 3):
                seen = await talk.seen(number)
                assert seen.count("Rather a WHALE please") == 1
                assert seen.index("meaning of fish") < seen.index("Rather a WHALE please")
            assert seen.index("Rather a WHALE please") < seen.index("meaning of whale")

    async def test_the_policies_are_asked_before_each_request(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.desk.tools["sys_lookup"] = found
            talk.server.script([Call("sys_lookup", {"word": "fish"}, "call_1")], [Text("Done.")])

            await talk.turn("Look it up")

            assert [len(request.items) for request in talk.desk.sampled] == [1, 3]
            assert [last_user_text(request.items) for request in talk.desk.sampled] == ["Look it up"] * 2

    async def test_a_refused_request_is_not_made(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.desk.tools["sys_lookup"] = found
            talk.desk = RefusingDesk(talk.desk, allowed=1)
            talk.server.script([Text("Wait. "), Call("sys_lookup", {"word": "fish"}, "call_1")])

            outcome = await talk.turn("Look it up")

            assert (outcome.code, str(outcome.error)) == ("policy_denied", "Denied by policy: too dear")
            assert outcome.text == "Wait. "
            assert [output for _, output in talk.desk.settled] == ["meaning of fish"]
            assert len(talk.server.requests) == 1

    async def test_a_person_who_says_no_ends_the_turn_and_its_other_calls(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            ended = asyncio.Event()

            async def decide(arguments: Mapping[str, Any]) -> str:
                if arguments["word"] == "fish":
                    raise Declined("elicit_1")
                try:
                    await asyncio.Event().wait()
                finally:
                    ended.set()
                raise AssertionError("nobody sets that event")

            talk.desk.tools["sys_lookup"] = decide
            calls = [Call("sys_lookup", {"word": word}, f"call_{word}") for word in ("bird", "fish")]
            talk.server.script(calls)

            with pytest.raises(Declined):
                await talk.turn("Look these up")

            assert ended.is_set()
            assert len(talk.server.requests) == 1

    async def test_a_tool_that_there_is_not_is_answered_by_the_desk(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script([Call("no_such_tool", {"a": 1}, "call_1")], [Text("Sorry.")])

            await talk.turn("Hello")

            assert [(call.name, output) for call, output in talk.desk.settled] == [
                ("no_such_tool", "Error: unknown tool 'no_such_tool'")
            ]
            assert "Error: unknown tool" in await talk.seen(2)

    async def test_call_ids_that_a_provider_uses_again_are_replaced(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.desk.tools["sys_lookup"] = found
            calls = [[Call("sys_lookup", {"word": word}, "call_0")] for word in ("fish", "bird")]
            talk.server.script(*calls, [Text("Done.")])

            outcome = await talk.turn("Look these up")

            assert outcome.text == "Done."
            assert [output for _, output in talk.desk.settled] == ["meaning of fish", "meaning of bird"]
            assert len({call.call_id for call in talk.desk.called}) == 2

    async def test_a_file_reaches_the_provider(self, tmp_path: Path) -> None:
        pdf = {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}
        async with self.talk(tmp_path) as talk:
            await talk.turn("Read this.", pdf)

            seen = await talk.seen(1)
            assert "data:application/pdf;base64,JVBERg==" in seen
            assert "a.pdf" in seen

    @pytest.mark.parametrize("reason", ["length", "content_filter"])
    async def test_an_answer_that_was_stopped_is_kept(self, tmp_path: Path, reason: Any) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script([Text("Half an"), Stop(reason)])

            outcome = await talk.turn("Hello")

            assert outcome.error is None
            assert outcome.text == "Half an"
            assert outcome.usages

    async def test_an_answer_that_was_stopped_before_its_first_word_ends_the_turn(
        self, tmp_path: Path
    ) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script([Stop("length")])

            outcome = await talk.turn("Hello")

            assert outcome.error is None
            assert outcome.text == ""
            assert len(talk.server.requests) == 1

    async def test_a_page_instead_of_a_stream_is_reported_at_once(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script([Fail(200)])

            outcome = await talk.turn("Hello")

            assert outcome.code == "malformed_stream"
            assert len(talk.server.requests) == 1

    async def test_an_event_of_the_wrong_shape_is_reported(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script([Text("Half an"), Garbage(self.wrong_shape)])

            outcome = await talk.turn("Hello")

            assert outcome.text == "Half an"
            assert outcome.code == "malformed_stream"

    async def test_a_missing_key_is_reported_without_a_request(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        async with self.talk(tmp_path) as talk:
            settings = EngineSettings(
                session_id="conv_1",
                state_dir=talk.state_dir,
                workspace=tmp_path,
                environment={},
                base_url=talk.server.url + "/v1",
            )
            engine = self.subject.build(settings, 5.0)
            request = ModelRequest(model="m", instructions="", items=[said("user", "Hello")])

            with pytest.raises(ModelError) as caught:
                async for _ in engine.run(request, talk.desk):
                    pass
            await engine.close()

        assert caught.value.code == "authentication_error"
        assert talk.server.requests == []


class TestOverResponses(_OpenAIAgents):
    subject = RESPONSES
    wrong_shape = (
        b'data: {"type": "response.output_text.delta", "item_id": "m", "content_index": 0, "delta": 5}\n\n'
    )

    async def test_nothing_is_stored_and_reasoning_travels_along(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.desk.tools["sys_lookup"] = found
            call = Call("sys_lookup", {"word": "fish"}, "call_1")
            talk.server.script([Reasoning("Hm."), call], [Text("Done.")])

            await talk.turn("Look it up", reasoning_effort="high")

            first, second = (await talk.server.request(1)).body, (await talk.server.request(2)).body
            assert first["store"] is False
            assert first["include"] == ["reasoning.encrypted_content"]
            assert first["reasoning"] == {"effort": "high", "summary": "auto"}
            # The scripted server encrypts nothing, and reasoning without that would not be found again.
            kinds = [item["type"] for item in second["input"]]
            assert kinds == ["message", "function_call", "function_call_output"]


class TestOverChat(_OpenAIAgents):
    subject = replace(RESPONSES, build=build_chat)
    wrong_shape = b'data: {"choices": [{"index": 0, "delta": {"content": 5}}]}\n\n'

    async def test_it_speaks_chat_completions(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            await talk.turn("Hello", reasoning_effort="high")

            recorded = await talk.server.request(1)
            assert recorded.path == "/v1/chat/completions"
            assert recorded.body["reasoning_effort"] == "high"
