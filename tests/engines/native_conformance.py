"""What every harness for a vendor's program in a terminal must do, run by each one's test file with the real
program.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from tests.engines.native_interference import NativeInterference, NativeLosses
from tests.engines.native_rig import DEADLINE, NativeRig, Talk
from tests.model_server import Fail, Text, Tokens
from tests.runner.fake_server import until


async def refuse(body: Mapping[str, Any]) -> dict[str, Any]:
    """No tools at all."""
    if body["event"]["type"] == "PHASE_TOOL_CALL":
        return {"result": "POLICY_ACTION_DENY", "reason": "no tools on sundays"}
    return {"result": "POLICY_ACTION_ALLOW"}


class NativeConversation(NativeRig):
    """Turns, and what people write in them."""

    async def test_a_turn(self, talk: Talk) -> None:
        talk.models.script([Text("I am fine."), Tokens(input_tokens=100, output_tokens=7, cache_read=40)])

        await talk.turn("How are you?\nReally?")

        assert talk.said("assistant") == ["I am fine."]
        assert talk.said("user") == []
        assert talk.types().count("response.completed") == 1
        assert talk.statuses() == ["running", "idle"]
        used = talk.posted("external_session_usage")[-1]
        assert (used["cumulative_input_tokens"], used["cumulative_output_tokens"]) == (100, 7)
        assert "How are you?\\nReally?" in str(talk.models.requests[0].body).replace("\n", "\\n")

    async def test_the_terminal_is_a_resource(self, talk: Talk) -> None:
        await talk.turn("Hello")

        created = [event for event in talk.stream.events if event["type"] == "session.resource.created"]
        assert [event["resource"]["type"] for event in created] == ["terminal"]
        assert "Hello" in await talk.terminals.all()[0].screen()

    async def test_a_prompt_that_waits_for_the_transcript_comes_back_with_its_name(self, talk: Talk) -> None:
        await talk.server.say("Hello", pending_id="pending_1")
        await until(lambda: "response.completed" in talk.types(), DEADLINE)

        [prompt] = [
            each
            for each in talk.posted("external_conversation_item")
            if each["item_data"].get("role") == "user"
        ]
        assert prompt["pending_id"] == "pending_1"
        assert talk.said("user") == ["Hello"]

    @pytest.mark.parametrize(
        "text",
        [
            "!touch proof",
            "#memo",
            "ends with a backslash\\",
            "look at @a",
            "x" * 900 + "\nline" * 40,
            "漢字\ttab",
        ],
        ids=["bang", "hash", "backslash", "mention", "long", "signs"],
    )
    async def test_what_people_write_is_text(self, talk: Talk, text: str) -> None:
        await talk.turn(text)

        assert not (talk.workspace / "proof").exists()
        assert talk.said("user") == []
        assert "".join(text.split()) in "".join(talk.said("assistant")[0].split())

    async def test_an_error_of_the_model_fails_the_turn(self, talk: Talk) -> None:
        talk.models.script([Fail(400, message="that will not do")], [Text("Better.")])

        await talk.turn("Hello")

        failed = [event for event in talk.stream.events if event["type"] == "response.failed"]
        assert "that will not do" in failed[0]["response"]["error"]["message"]
        assert talk.statuses()[-1] == "failed"
        await talk.turn("Again")
        assert talk.said("assistant")[-1] == "Better."


class NativeTools(NativeRig):
    """Tools, and what policies say to them."""

    async def test_an_allowed_tool_runs(self, talk: Talk) -> None:
        talk.models.script(
            [Text("I write."), talk.native.shell("echo proof > proof.txt; cat proof.txt")], [Text("Done.")]
        )

        await talk.turn("Write it")

        assert (talk.workspace / "proof.txt").read_text() == "proof\n"
        assert talk.said("assistant") == ["I write.", "Done."]
        [call] = talk.items("function_call")
        [output] = talk.items("function_call_output")
        assert (call["name"], call["call_id"]) == (talk.native.tool, output["call_id"])
        assert "proof" in output["output"]
        assert [event["data"]["name"] for event in talk.asked("PHASE_TOOL_CALL")] == ["Bash"]
        assert [event["target"] for event in talk.asked("PHASE_TOOL_RESULT")] == ["Bash"]

    async def test_a_refused_tool_does_not_run(self, talk: Talk) -> None:
        talk.server.judge = refuse
        talk.models.script([talk.native.shell("echo proof > proof.txt")], [Text("A pity.")])

        await talk.turn("Write it")

        assert not (talk.workspace / "proof.txt").exists()
        assert "no tools on sundays" in talk.items("function_call_output")[0]["output"]
        assert talk.said("assistant") == ["A pity."]

    async def test_a_tool_does_not_run_when_the_policies_cannot_be_asked(self, talk: Talk) -> None:
        talk.server.statuses["evaluate"] = 400
        talk.models.script([talk.native.shell("echo proof > proof.txt")], [Text("A pity.")])

        await talk.turn("Write it")

        assert not (talk.workspace / "proof.txt").exists()
        assert "could not be asked" in talk.items("function_call_output")[0]["output"]

    async def test_a_suppressed_result_does_not_reach_the_model(self, talk: Talk) -> None:
        async def judge(body: Mapping[str, Any]) -> dict[str, Any]:
            denied = body["event"]["type"] == "PHASE_TOOL_RESULT"
            return {
                "result": "POLICY_ACTION_DENY" if denied else "POLICY_ACTION_ALLOW",
                "reason": "too secret",
            }

        talk.server.judge = judge
        talk.models.script([talk.native.shell("echo PELI''CAN")], [Text("Something else.")])

        await talk.turn("Print it")

        assert "PELICAN" not in str(talk.models.requests[1].body)
        assert "too secret" in str(talk.models.requests[1].body)
        assert "PELICAN" not in str(talk.server.posted)

    async def test_a_question_holds_the_tool_until_it_is_answered(self, talk: Talk) -> None:
        asked, answered = asyncio.Event(), asyncio.Event()

        async def judge(body: Mapping[str, Any]) -> dict[str, Any]:
            if body["event"]["type"] == "PHASE_TOOL_CALL":
                asked.set()
                await answered.wait()
            return {"result": "POLICY_ACTION_ALLOW"}

        talk.server.judge = judge
        talk.models.script([talk.native.shell("echo proof > proof.txt")], [Text("Done.")])
        before = len(talk.stream.events)
        await talk.say("Write it")
        await asyncio.wait_for(asked.wait(), DEADLINE)

        assert not (talk.workspace / "proof.txt").exists()
        answered.set()
        await talk.settled(before)
        assert (talk.workspace / "proof.txt").exists()
        assert talk.said("assistant") == ["Done."]


class NativeConformance(NativeConversation, NativeTools, NativeInterference, NativeLosses):
    """All of it."""
