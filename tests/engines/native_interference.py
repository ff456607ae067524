"""What happens to a program in a terminal while it works: people who interfere, and losses."""

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.engines.native_rig import DEADLINE, NativeRig, Talk
from tests.model_server import Hold, Text
from tests.model_server.steps import Reply
from tests.runner.fake_server import until


def has_come(talk: Talk, text: str) -> bool:
    """Whether a message is in the program: typed there and kept by it, or with the model already."""
    typed = [each.text for each in talk.seat.memory.typed]
    return text in typed or text in str([one.body[talk.native.heard] for one in talk.models.requests])


class NativeInterference(NativeRig):
    """People who interrupt, go on talking, or type at the terminal."""

    async def test_an_interrupt_while_it_speaks(self, talk: Talk) -> None:
        never = asyncio.Event()
        talk.models.script([Text("Half an answer "), Hold(never)], [Text("Back again.")])
        before = len(talk.stream.events)
        await talk.say("Tell me a story")
        await talk.models.request(1)
        await talk.server.post({"type": "interrupt"})
        await talk.settled(before)

        assert talk.types().count("response.cancelled") == 1
        await talk.turn("Are you there?")
        assert talk.said("assistant")[-1] == "Back again."

    async def test_an_interrupt_before_it_says_anything(self, talk: Talk) -> None:
        """The program puts the prompt back into its input field, where it must not join the next one."""
        never = asyncio.Event()
        talk.models.script([Hold(never)], [Text("Back again.")])
        before = len(talk.stream.events)
        await talk.say("Early bird")
        await talk.models.request(1)
        await talk.server.post({"type": "interrupt"})
        await talk.settled(before)

        await talk.turn("Are you there?")
        assert talk.said("assistant") == ["Back again."]
        assert "Early bird" not in str(talk.models.requests[-1].body[talk.native.heard][-1])

    async def test_an_interrupt_while_a_tool_is_asked_about(self, talk: Talk) -> None:
        asked = asyncio.Event()

        async def judge(body: Mapping[str, Any]) -> dict[str, Any]:
            if body["event"]["type"] == "PHASE_TOOL_CALL":
                asked.set()
                await asyncio.Event().wait()
            return {"result": "POLICY_ACTION_ALLOW"}

        talk.server.judge = judge
        talk.models.script([talk.native.shell("echo proof > proof.txt")])
        before = len(talk.stream.events)
        await talk.say("Write it")
        await asyncio.wait_for(asked.wait(), DEADLINE)
        await talk.server.post({"type": "interrupt"})
        await talk.settled(before)

        assert not (talk.workspace / "proof.txt").exists()
        assert talk.types().count("response.cancelled") == 1

    @pytest.mark.parametrize("works", ["speaks", "runs-a-tool"])
    async def test_messages_while_it_works_reach_it(self, talk: Talk, works: str) -> None:
        go_on = asyncio.Event()
        speaks: Reply = [Text("Wait. "), Hold(go_on), Text("Ready.")]
        talk.models.script(
            speaks if works == "speaks" else [talk.native.shell("sleep 2")], *[[Text("And more.")]] * 3
        )
        before = len(talk.stream.events)
        await talk.say("Begin")
        await talk.models.request(1)
        assert await talk.say("Second thing") == "buffered"
        assert await talk.say("Third thing") == "buffered"
        await until(lambda: has_come(talk, "Second thing") and has_come(talk, "Third thing"), DEADLINE)
        go_on.set()
        await talk.settled(before)

        heard = str([request.body[talk.native.heard] for request in talk.models.requests])
        assert "Second thing" in heard
        assert "Third thing" in heard
        assert talk.said("user") == []
        assert talk.types().count("response.completed") == 1

    async def test_a_person_at_the_terminal(self, talk: Talk) -> None:
        await talk.turn("Hello")
        talk.models.script([Text("From the keyboard.")])

        await talk.typed("Typed by hand")

        await until(lambda: "idle" in [e["status"] for e in talk.posted("external_session_status")], DEADLINE)
        assert [event["status"] for event in talk.posted("external_session_status")] == ["running", "idle"]
        assert talk.said("user") == ["Typed by hand"]
        assert talk.said("assistant")[-1] == "From the keyboard."
        assert [event["data"]["user_content"] for event in talk.asked("PHASE_REQUEST")] == ["Typed by hand"]

    async def test_what_a_person_left_unsent_is_no_part_of_a_message(self, talk: Talk) -> None:
        await talk.turn("Hello")
        pane = talk.terminals.all()[0]
        await pane.paste("half\na draft")
        async with asyncio.timeout(DEADLINE):
            while not talk.seat.program.holds_text(await pane.screen()):  # noqa: ASYNC110 - the screen has no event
                await asyncio.sleep(0.05)

        await talk.turn("The message")

        assert talk.said("assistant")[-1] == "You said: The message"
        assert "draft" not in str([request.body[talk.native.heard] for request in talk.models.requests])
        assert talk.said("user") == []


class NativeLosses(NativeRig):
    """Programs, runners and servers that are lost."""

    async def test_the_programs_end_fails_the_turn(self, talk: Talk) -> None:
        never = asyncio.Event()
        talk.models.script([Text("Half an answer "), Hold(never)], [Text("Better.")])
        before = len(talk.stream.events)
        await talk.say("Hello")
        await talk.models.request(1)
        await until(lambda: talk.seat.reader.is_busy, DEADLINE)
        os.kill(talk.terminals.all()[0].pid, signal.SIGKILL)
        await talk.settled(before)

        error = next(e for e in talk.stream.events if e["type"] == "response.failed")["response"]["error"]
        assert error["code"] == "program_exited"
        assert "Hello" in error["message"]
        await talk.turn("Again")
        assert talk.said("assistant")[-1] == "Better."
        assert "Hello" in str(talk.models.requests[-1].body)

    async def test_it_goes_on_after_a_restart_of_the_runner(self, tmp_path: Path) -> None:
        async with self.native.model_server() as models:
            talk = Talk(self.native, models, tmp_path)
            async with talk.runner():
                models.script([Text("One.")])
                await talk.turn("First")
                models.script([self.native.shell("sleep 60")])
                await talk.say("Second")
                await until(lambda: bool(talk.items("function_call")), DEADLINE)
            models.forget_script()
            models.script([Text("Three.")])
            async with talk.runner():
                await talk.turn("Third")

            heard = str(models.requests[-1].body)
            assert all(word in heard for word in ("First", "One.", "Second", "Third"))
            assert talk.said("assistant") == ["One.", "Three."]
            assert talk.said("user") == []
            [call] = talk.items("function_call")
            [output] = talk.items("function_call_output")
            assert output["call_id"] == call["call_id"]
            assert talk.repeats() == 0

    async def test_what_could_not_be_posted_is_posted_by_the_next_runner(self, tmp_path: Path) -> None:
        async with self.native.model_server() as models:
            talk = Talk(self.native, models, tmp_path)
            async with talk.runner():
                talk.server.statuses["events"] = 503
                models.script([Text("One.")])
                await talk.say("First")
                await models.request(1)
                await until(lambda: talk.seat.reader.ended is not None, DEADLINE)
            assert talk.said("assistant") == []
            talk.server.statuses.clear()
            async with talk.runner():
                await talk.turn("Second")

            assert talk.said("assistant")[0] == "One."
            assert len(talk.said("assistant")) == 2
