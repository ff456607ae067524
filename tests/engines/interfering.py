"""What people, and the end of the session, do to an engine in the middle of its turn."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omnigent.runner.harnesses.base import Finished
from tests.engines.rig import DEADLINE, EngineRig
from tests.model_server import Call, Hold, Silence, Text


class EngineInterference(EngineRig):
    """Steering, interrupting and closing; afterwards the engine does what it is told next."""

    async def test_a_message_during_the_turn_reaches_the_model(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:

            async def interjected(arguments: Mapping[str, Any]) -> str:
                content = [{"type": "input_text", "text": "Rather a WHALE please"}]
                talk.desk.coming.append({"role": "user", "content": content, "persisted_item_id": "item_9"})
                return "meaning of fish"

            talk.desk.tools["sys_lookup"] = interjected
            call = Call(self.subject.offered("sys_lookup"), {"word": "fish"}, "call_1")
            talk.server.script([call], [Text("A whale it is.")], [Text("Nothing more.")])

            outcome = await talk.turn("What is a fish?")

            assert outcome.error is None
            assert "A whale it is." in outcome.text
            assert any("Rather a WHALE please" in str(request.body) for request in talk.server.requests)
            assert outcome.events[-1] == Finished("stop")

    async def test_an_interrupted_answer_leaves_the_engine_usable(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script([Text("Half an answer"), Silence()], [Text("Something else.")])
            turn = asyncio.create_task(talk.turn("Tell me a story"))
            first = await talk.server.request(1)
            await talk.until(lambda: bool(talk.desk.journal))

            await talk.interrupt(turn)
            async with asyncio.timeout(DEADLINE):
                await first.left.wait()
            outcome = await talk.turn("Never mind, say something else")

            assert outcome.error is None
            assert outcome.text == "Something else."
            assert "Never mind, say something else" in await talk.seen(2)

    async def test_an_interrupt_before_the_model_answers_leaves_the_engine_usable(
        self, tmp_path: Path
    ) -> None:
        async with self.talk(tmp_path) as talk:
            never = asyncio.Event()
            talk.server.script([Hold(never), Text("Too late.")], [Text("Something else.")])
            turn = asyncio.create_task(talk.turn("Tell me a story"))
            await talk.server.request(1)

            await talk.interrupt(turn)
            outcome = await talk.turn("Never mind")

            assert outcome.error is None
            assert outcome.text == "Something else."

    async def test_an_interrupt_ends_a_tool_of_ours(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            ended = asyncio.Event()

            async def endless(arguments: Mapping[str, Any]) -> str:
                try:
                    await asyncio.Event().wait()
                finally:
                    ended.set()
                raise AssertionError("nobody sets that event")

            talk.desk.tools["sys_lookup"] = endless
            call = Call(self.subject.offered("sys_lookup"), {"word": "fish"}, "call_1")
            talk.server.script([call], [Text("Something else.")])
            turn = asyncio.create_task(talk.turn("What is a fish?"))
            async with asyncio.timeout(DEADLINE):
                await talk.desk.reached.wait()

            await talk.interrupt(turn)
            async with asyncio.timeout(DEADLINE):
                await ended.wait()
            outcome = await talk.turn("Never mind")

            assert outcome.error is None
            assert outcome.text == "Something else."

    async def test_closing_ends_every_process(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            await talk.turn("Hello")
            processes = self.subject.processes(talk.engine)
            assert processes

            await talk.close()

            await talk.until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in processes))
