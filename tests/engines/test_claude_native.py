"""The `claude-native` harness with the real program in a terminal."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from omnigent.runner.harnesses.claude_native.program import INSTALL, PROGRAM
from omnigent.runner.harnesses.programs import located
from tests.engines.native_rig import DEADLINE, Native, Talk
from tests.model_server import Call, Fail, Hold, ModelServer, Text, Tokens
from tests.model_server.steps import Reply
from tests.runner.fake_server import until

pytestmark = [
    pytest.mark.engines,
    pytest.mark.skipif(located(PROGRAM, os.environ) is None, reason=f"needs Claude Code: {INSTALL}"),
    pytest.mark.skipif(located("tmux", os.environ) is None, reason="needs tmux"),
    pytest.mark.timeout(180),
]


def environment(models: ModelServer) -> Mapping[str, str]:
    return {"ANTHROPIC_API_KEY": "sk-ant-nightingale-0123456789", "ANTHROPIC_BASE_URL": models.url}


CLAUDE = Native(harness="claude-native", environment=environment)


@pytest_asyncio.fixture
async def talk(tmp_path: Path) -> AsyncIterator[Talk]:
    async with ModelServer() as models, Talk(CLAUDE, models, tmp_path).runner() as talk:
        yield talk


def shell(command: str) -> Call:
    return Call("Bash", {"command": command, "description": "a test"}, "toolu_shell")


async def refuse(body: Mapping[str, Any]) -> dict[str, Any]:
    if body["event"]["type"] == "PHASE_TOOL_CALL":
        return {"result": "POLICY_ACTION_DENY", "reason": "no tools on sundays"}
    return {"result": "POLICY_ACTION_ALLOW"}


async def test_a_turn(talk: Talk) -> None:
    talk.models.script([Text("I am fine."), Tokens(input_tokens=100, output_tokens=7, cache_read=40)])

    await talk.turn("How are you?\nReally?")

    assert talk.said("assistant") == ["I am fine."]
    assert talk.said("user") == []
    assert talk.types().count("response.completed") == 1
    assert talk.statuses() == ["running", "idle"]
    [used] = talk.posted("external_session_usage")
    assert (used["cumulative_input_tokens"], used["cumulative_output_tokens"]) == (100, 7)
    assert used["cumulative_cache_read_input_tokens"] == 40
    assert "How are you?\\nReally?" in str(talk.models.requests[0].body).replace("\n", "\\n")


async def test_the_terminal_is_a_resource(talk: Talk) -> None:
    await talk.turn("Hello")

    created = [event for event in talk.stream.events if event["type"] == "session.resource.created"]
    assert [event["resource"]["type"] for event in created] == ["terminal"]
    assert "Hello" in await talk.terminals.all()[0].screen()


async def test_a_prompt_that_waits_for_the_transcript_comes_back_with_its_name(talk: Talk) -> None:
    await talk.server.say("Hello", pending_id="pending_1")
    await until(lambda: "response.completed" in talk.types(), DEADLINE)

    [prompt] = [
        each for each in talk.posted("external_conversation_item") if each["item_data"].get("role") == "user"
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
async def test_what_people_write_is_text(talk: Talk, text: str) -> None:
    await talk.turn(text)

    assert not (talk.workspace / "proof").exists()
    assert talk.said("user") == []
    assert "".join(text.split()) in "".join(talk.said("assistant")[0].split())


async def test_an_allowed_tool_runs(talk: Talk) -> None:
    talk.models.script([Text("I write."), shell("echo proof > proof.txt; cat proof.txt")], [Text("Done.")])

    await talk.turn("Write it")

    assert (talk.workspace / "proof.txt").read_text() == "proof\n"
    assert talk.said("assistant") == ["I write.", "Done."]
    [call] = talk.items("function_call")
    [output] = talk.items("function_call_output")
    assert (call["name"], call["call_id"], output["call_id"]) == ("Bash", "toolu_shell", "toolu_shell")
    assert "proof" in output["output"]
    assert [event["data"]["name"] for event in talk.asked("PHASE_TOOL_CALL")] == ["Bash"]
    assert [event["target"] for event in talk.asked("PHASE_TOOL_RESULT")] == ["Bash"]


async def test_a_refused_tool_does_not_run(talk: Talk) -> None:
    talk.server.judge = refuse
    talk.models.script([shell("echo proof > proof.txt")], [Text("A pity.")])

    await talk.turn("Write it")

    assert not (talk.workspace / "proof.txt").exists()
    assert "no tools on sundays" in talk.items("function_call_output")[0]["output"]
    assert talk.said("assistant") == ["A pity."]


async def test_a_tool_does_not_run_when_the_policies_cannot_be_asked(talk: Talk) -> None:
    talk.server.statuses["evaluate"] = 400
    talk.models.script([shell("echo proof > proof.txt")], [Text("A pity.")])

    await talk.turn("Write it")

    assert not (talk.workspace / "proof.txt").exists()
    assert "could not be asked" in talk.items("function_call_output")[0]["output"]


async def test_a_suppressed_result_does_not_reach_the_model(talk: Talk) -> None:
    async def judge(body: Mapping[str, Any]) -> dict[str, Any]:
        denied = body["event"]["type"] == "PHASE_TOOL_RESULT"
        return {"result": "POLICY_ACTION_DENY" if denied else "POLICY_ACTION_ALLOW", "reason": "too secret"}

    talk.server.judge = judge
    talk.models.script([shell("echo PELI''CAN")], [Text("Something else.")])

    await talk.turn("Print it")

    assert "PELICAN" not in str(talk.models.requests[1].body)
    assert "too secret" in str(talk.models.requests[1].body)
    assert "PELICAN" not in str(talk.server.posted)


async def test_a_question_holds_the_tool_until_it_is_answered(talk: Talk) -> None:
    asked, answered = asyncio.Event(), asyncio.Event()

    async def judge(body: Mapping[str, Any]) -> dict[str, Any]:
        if body["event"]["type"] == "PHASE_TOOL_CALL":
            asked.set()
            await answered.wait()
        return {"result": "POLICY_ACTION_ALLOW"}

    talk.server.judge = judge
    talk.models.script([shell("echo proof > proof.txt")], [Text("Done.")])
    before = len(talk.stream.events)
    await talk.say("Write it")
    await asyncio.wait_for(asked.wait(), DEADLINE)

    assert not (talk.workspace / "proof.txt").exists()
    answered.set()
    await talk.settled(before)
    assert (talk.workspace / "proof.txt").exists()
    assert talk.said("assistant") == ["Done."]


async def test_an_interrupt_while_it_speaks(talk: Talk) -> None:
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


async def test_an_interrupt_before_it_says_anything(talk: Talk) -> None:
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
    assert "Early bird" not in str(talk.models.requests[1].body["messages"][-1])


async def test_an_interrupt_while_a_tool_is_asked_about(talk: Talk) -> None:
    asked = asyncio.Event()

    async def judge(body: Mapping[str, Any]) -> dict[str, Any]:
        if body["event"]["type"] == "PHASE_TOOL_CALL":
            asked.set()
            await asyncio.Event().wait()
        return {"result": "POLICY_ACTION_ALLOW"}

    talk.server.judge = judge
    talk.models.script([shell("echo proof > proof.txt")])
    before = len(talk.stream.events)
    await talk.say("Write it")
    await asyncio.wait_for(asked.wait(), DEADLINE)
    await talk.server.post({"type": "interrupt"})
    await talk.settled(before)

    assert not (talk.workspace / "proof.txt").exists()
    assert talk.types().count("response.cancelled") == 1


@pytest.mark.parametrize("works", ["speaks", "runs-a-tool"])
async def test_messages_while_it_works_are_queued_in_it(talk: Talk, works: str) -> None:
    go_on = asyncio.Event()
    speaks: Reply = [Text("Wait. "), Hold(go_on), Text("Ready.")]
    talk.models.script(speaks if works == "speaks" else [shell("sleep 2")], *[[Text("And more.")]] * 3)
    before = len(talk.stream.events)
    await talk.say("Begin")
    await talk.models.request(1)
    assert await talk.say("Second thing") == "buffered"
    assert await talk.say("Third thing") == "buffered"
    await until(lambda: {each.text for each in talk.seat.memory.typed} >= {"Second thing", "Third thing"}, 30)
    go_on.set()
    await talk.settled(before)

    heard = str([request.body["messages"] for request in talk.models.requests])
    assert "Second thing" in heard
    assert "Third thing" in heard
    assert talk.said("user") == []
    assert talk.types().count("response.completed") == 1


async def test_a_person_at_the_terminal(talk: Talk) -> None:
    await talk.turn("Hello")
    talk.models.script([Text("From the keyboard.")])

    await talk.typed("Typed by hand")

    await until(lambda: "idle" in [e["status"] for e in talk.posted("external_session_status")], DEADLINE)
    assert [event["status"] for event in talk.posted("external_session_status")] == ["running", "idle"]
    assert talk.said("user") == ["Typed by hand"]
    assert talk.said("assistant")[-1] == "From the keyboard."
    assert [event["data"]["user_content"] for event in talk.asked("PHASE_REQUEST")] == ["Typed by hand"]


async def test_what_a_person_left_unsent_is_no_part_of_a_message(talk: Talk) -> None:
    await talk.turn("Hello")
    pane = talk.terminals.all()[0]
    await pane.paste("half\na draft")
    async with asyncio.timeout(DEADLINE):
        while not talk.seat.program.holds_text(await pane.screen()):  # noqa: ASYNC110 - the screen has no event
            await asyncio.sleep(0.05)

    await talk.turn("The message")

    assert talk.said("assistant")[-1] == "You said: The message"
    assert "draft" not in str([request.body["messages"] for request in talk.models.requests])
    assert talk.said("user") == []


async def test_a_message_waits_for_what_a_person_types_while_it_works(talk: Talk) -> None:
    go_on = asyncio.Event()
    talk.models.script([Text("Wait. "), Hold(go_on), Text("Ready.")], [Text("And more.")])
    before = len(talk.stream.events)
    await talk.say("Begin")
    await talk.models.request(1)
    await until(lambda: talk.seat.reader.is_busy, DEADLINE)
    pane = talk.terminals.all()[0]
    await pane.paste("a draft")
    async with asyncio.timeout(DEADLINE):
        while "a draft" not in await pane.screen():  # noqa: ASYNC110 - the screen has no event
            await asyncio.sleep(0.05)
    assert await talk.say("Second thing") == "buffered"
    await until(lambda: "Second thing" in {each.text for each in talk.seat.memory.typed}, DEADLINE)
    go_on.set()
    await talk.settled(before)

    assert talk.said("assistant") == ["Wait. Ready.", "And more."]
    assert "draft" not in str([request.body["messages"] for request in talk.models.requests])
    assert talk.types().count("response.completed") == 1


async def test_an_error_of_the_model_fails_the_turn(talk: Talk) -> None:
    talk.models.script([Fail(400, message="that will not do")], [Text("Better.")])

    await talk.turn("Hello")

    failed = [event for event in talk.stream.events if event["type"] == "response.failed"]
    assert "that will not do" in failed[0]["response"]["error"]["message"]
    assert talk.statuses()[-1] == "failed"
    await talk.turn("Again")
    assert talk.said("assistant")[-1] == "Better."


async def test_the_programs_end_fails_the_turn(talk: Talk) -> None:
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


async def test_a_command_of_the_programs_own(talk: Talk) -> None:
    await talk.turn("/context")

    assert "Context Usage" in talk.said("assistant")[0]
    assert talk.statuses() == ["running", "idle"]


async def test_it_goes_on_after_a_restart_of_the_runner(tmp_path: Path) -> None:
    async with ModelServer() as models:
        talk = Talk(CLAUDE, models, tmp_path)
        async with talk.runner():
            models.script([Text("One.")])
            await talk.turn("First")
            models.script([shell("sleep 60")])
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
        [output] = talk.items("function_call_output")
        assert output["call_id"] == "toolu_shell"
        assert talk.repeats() == 0


async def test_what_could_not_be_posted_is_posted_by_the_next_runner(tmp_path: Path) -> None:
    async with ModelServer() as models:
        talk = Talk(CLAUDE, models, tmp_path)
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
