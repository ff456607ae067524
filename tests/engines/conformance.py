"""What every engine must do, run by each engine's test file with the vendor's real program or library."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omnigent.runner.harnesses.base import Finished, TextDelta
from tests.engines.breaking import EngineFailures
from tests.engines.interfering import EngineInterference
from tests.engines.resuming import EngineResumption
from tests.engines.rig import DEADLINE, EngineRig
from tests.model_server import Call, Reasoning, Text, Tokens


async def found(arguments: Mapping[str, Any]) -> str:
    return f"meaning of {arguments['word']}"


class EngineConversation(EngineRig):
    """Turns that go well."""

    async def test_text_is_streamed(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script([Text("Hello from the engine.")])

            outcome = await talk.turn("Hello")

            assert outcome.error is None
            assert outcome.text == "Hello from the engine."
            assert sum(isinstance(event, TextDelta) for event in outcome.events) > 1
            assert outcome.events[-1] == Finished("stop")
            assert "Hello" in await talk.seen(1)
            assert len(talk.server.requests) == 1

    async def test_instructions_model_and_tools_reach_the_provider(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.instructions = "Speak like a pirate of 1720."
            await talk.turn("Hello")

            body = (await talk.server.request(1)).body
            assert body["model"] == self.subject.model
            assert "Speak like a pirate of 1720." in str(body)
            assert self.subject.offered("sys_lookup") in str(body["tools"])

    async def test_reasoning_is_kept_apart_from_text(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script([Reasoning("First think. "), Text("Then speak.")])

            outcome = await talk.turn("Hello", reasoning_effort="high")

            assert outcome.reasoning.strip() == "First think."
            assert outcome.text == "Then speak."

    async def test_usage_is_told(self, tmp_path: Path) -> None:
        counted = Tokens(input_tokens=100, output_tokens=20, cache_read=60, cache_written=30)
        async with self.talk(tmp_path) as talk:
            talk.server.script([Text("Hi."), counted])

            outcome = await talk.turn("Hello")

            usage = outcome.usages[-1]
            assert (usage.input_tokens, usage.output_tokens) == (100, 20)
            assert (usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (60, 30)
            assert usage.context_tokens == 120
            assert usage.model == self.subject.model

    async def test_usage_is_summed_over_requests_and_context_is_the_last(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.desk.tools["sys_lookup"] = found
            call = Call(self.subject.offered("sys_lookup"), {"word": "fish"}, "call_1")
            talk.server.script(
                [call, Tokens(input_tokens=100, output_tokens=20)],
                [Text("Done."), Tokens(input_tokens=150, output_tokens=5)],
            )

            outcome = await talk.turn("Look it up")

            assert sum(usage.input_tokens for usage in outcome.usages) == 250
            assert sum(usage.output_tokens for usage in outcome.usages) == 25
            assert outcome.usages[-1].context_tokens == 155

    async def test_a_picture_reaches_the_provider(self, tmp_path: Path) -> None:
        pixel = (
            "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
        )
        async with self.talk(tmp_path) as talk:
            picture = {"type": "input_image", "image_url": f"data:image/png;base64,{pixel}"}
            await talk.turn("What is this?", picture)

            seen = await talk.seen(1)
            assert pixel in seen
            assert "What is this?" in seen

    # -- tools ---------------------------------------------------------------------------------------

    async def test_a_tool_of_ours_runs_at_the_desk(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.desk.tools["sys_lookup"] = found
            call = Call(self.subject.offered("sys_lookup"), {"word": "fish"}, "call_1")
            talk.server.script([Text("Let me look. "), call], [Text("It swims.")])

            outcome = await talk.turn("What is a fish?")

            assert outcome.error is None
            assert outcome.text == "Let me look. It swims."
            assert [call.name for call in talk.desk.called] == ["sys_lookup"]
            assert talk.desk.permitted == []
            assert "meaning of fish" in await talk.seen(2)
            assert len(talk.server.requests) == 2

    async def test_text_before_a_call_is_heard_before_the_call(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.desk.tools["sys_lookup"] = found
            call = Call(self.subject.offered("sys_lookup"), {"word": "fish"}, "call_1")
            talk.server.script([Text("Let me look closely. "), call], [Text("It swims.")])

            await talk.turn("What is a fish?")

            assert talk.desk.journal == [
                ("text", "Let me look closely. "),
                ("call", "sys_lookup"),
                ("settled", "sys_lookup"),
                ("text", "It swims."),
            ]

    async def test_parallel_calls_of_ours_are_all_answered(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.desk.tools["sys_lookup"] = found
            name = self.subject.offered("sys_lookup")
            talk.server.script(
                [Call(name, {"word": word}, f"call_{word}") for word in ("fish", "bird", "cat")],
                [Text("Three animals.")],
            )

            outcome = await talk.turn("Look these up")

            assert outcome.text == "Three animals."
            assert sorted(output for _, output in talk.desk.settled) == [
                "meaning of bird",
                "meaning of cat",
                "meaning of fish",
            ]
            assert len({call.call_id for call in talk.desk.called}) == 3
            second = await talk.seen(2)
            assert all(f"meaning of {word}" in second for word in ("fish", "bird", "cat"))

    async def test_parallel_calls_of_ours_overlap(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            both = asyncio.Barrier(2)

            async def meet(arguments: Mapping[str, Any]) -> str:
                async with asyncio.timeout(DEADLINE):
                    await both.wait()
                return f"met over {arguments['word']}"

            talk.desk.tools["sys_lookup"] = meet
            name = self.subject.offered("sys_lookup")
            talk.server.script(
                [Call(name, {"word": word}, f"call_{word}") for word in ("fish", "bird")], [Text("Met.")]
            )

            outcome = await talk.turn("Look these up")

            assert outcome.text == "Met."

    async def test_an_own_tool_runs_when_permitted(self, tmp_path: Path) -> None:
        own = self.subject.own
        assert own is not None
        async with self.talk(tmp_path) as talk:
            proof = talk.workspace / "proof.txt"
            talk.server.script([Text("Writing. "), own.call(proof)], [Text("Written.")])

            outcome = await talk.turn("Write it")

            assert outcome.error is None
            assert outcome.text == "Writing. Written."
            assert "proof" in proof.read_text()
            assert talk.desk.journal == [
                ("text", "Writing. "),
                ("permit", own.name),
                ("settled", own.name),
                ("text", "Written."),
            ]
            assert talk.desk.permitted[0] == talk.desk.settled[0][0]
            assert "proof" in talk.desk.permitted[0].arguments

    async def test_an_own_tool_that_is_refused_does_not_run(self, tmp_path: Path) -> None:
        own = self.subject.own
        assert own is not None
        async with self.talk(tmp_path) as talk:
            proof = talk.workspace / "proof.txt"
            talk.desk.refusals[own.name] = "no writing on sundays"
            talk.server.script([own.call(proof)], [Text("Then not.")])

            outcome = await talk.turn("Write it")

            assert outcome.text == "Then not."
            assert not proof.exists()
            assert "no writing on sundays" in await talk.seen(2)
            assert [(call.name, "no writing on sundays" in output) for call, output in talk.desk.settled] == [
                (own.name, True)
            ]

    async def test_an_own_tool_that_the_agent_may_not_have_does_not_run(self, tmp_path: Path) -> None:
        own = self.subject.own
        assert own is not None
        async with self.talk(tmp_path) as talk:
            talk.own_tools = False
            proof = talk.workspace / "proof.txt"
            talk.server.script([own.call(proof)], [Text("Then not.")])

            outcome = await talk.turn("Write it")

            assert not proof.exists()
            assert talk.desk.permitted == []
            assert outcome.text == "Then not."

    async def test_an_own_tool_waits_for_its_approval(self, tmp_path: Path) -> None:
        own = self.subject.own
        assert own is not None
        async with self.talk(tmp_path) as talk:
            proof = talk.workspace / "proof.txt"
            talk.desk.decided.clear()
            talk.server.script([own.call(proof)], [Text("Written.")])
            turn = asyncio.create_task(talk.turn("Write it"))
            async with asyncio.timeout(DEADLINE):
                await talk.desk.reached.wait()

            assert not proof.exists()
            assert len(talk.server.requests) == 1
            talk.desk.decided.set()
            outcome = await turn

            assert outcome.text == "Written."
            assert proof.exists()


class EngineConformance(EngineConversation, EngineInterference, EngineFailures, EngineResumption):
    """Subclass it with a `subject`; the methods are the table."""
