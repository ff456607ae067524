"""The `codex-native` harness with the real program in a terminal."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from omnigent.runner.harnesses.codex_native.program import INSTALL, PROGRAM
from omnigent.runner.harnesses.programs import located
from tests.engines.native_rig import DEADLINE, Native, Talk
from tests.model_server import Call, Fail, Hold, ModelServer, Text, Tokens
from tests.model_server.prompt import Prompt
from tests.model_server.steps import Reply
from tests.runner.fake_server import until

pytestmark = [
    pytest.mark.engines,
    pytest.mark.skipif(located(PROGRAM, os.environ) is None, reason=f"needs Codex: {INSTALL}"),
    pytest.mark.skipif(located("tmux", os.environ) is None, reason="needs tmux"),
    pytest.mark.timeout(180),
]


def environment(models: ModelServer) -> Mapping[str, str]:
    return {
        "OPENAI_API_KEY": "sk-nightingale",
        "OPENAI_BASE_URL": f"{models.url}/v1",
    }


CODEX = Native(harness="codex-native", environment=environment)


def is_title(prompt: Prompt) -> bool:
    """Whether Codex asks for a name of the conversation, which it does beside the first turn."""
    return prompt.wants_form


@pytest_asyncio.fixture
async def talk(tmp_path: Path) -> AsyncIterator[Talk]:
    async with ModelServer(aside=is_title) as models, Talk(CODEX, models, tmp_path).runner() as talk:
        yield talk


def shell(command: str) -> Call:
    return Call("exec_command", {"cmd": command}, "call_shell")


def script(command: str) -> Call:
    """A command in a program for the tool that runs programs, as models write them today."""
    code = f"const r = await tools.exec_command({json.dumps({'cmd': command})}); text(r.output ?? r);"
    return Call("exec", code, "call_shell", is_custom=True)


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
    used = talk.posted("external_session_usage")[-1]
    assert (used["cumulative_input_tokens"], used["cumulative_output_tokens"]) == (100, 7)
    assert "You help." in str(talk.models.requests[0].body)


async def test_the_terminal_is_a_resource(talk: Talk) -> None:
    await talk.turn("Hello")

    created = [event for event in talk.stream.events if event["type"] == "session.resource.created"]
    assert [event["resource"]["type"] for event in created] == ["terminal"]
    assert "Hello" in await talk.terminals.all()[0].screen()


@pytest.mark.parametrize(
    "text",
    [
        "!touch proof",
        "#memo",
        "ends with a backslash\\",
        "look at @a",
        "x" * 900 + "\nline" * 40,
        "漢字\ttab",
        "/nothing like a command",
        "/usr/bin/env",
    ],
    ids=["bang", "hash", "backslash", "mention", "long", "signs", "slash", "path"],
)
async def test_what_people_write_is_text(talk: Talk, text: str) -> None:
    await talk.turn(text)

    assert not (talk.workspace / "proof").exists()
    assert talk.said("user") == []
    assert "".join(text.split()) in "".join(talk.said("assistant")[0].split())


async def test_a_prompt_that_waits_for_the_transcript_comes_back_with_its_name(talk: Talk) -> None:
    await talk.server.say("Hello", pending_id="pending_1")
    await until(lambda: "response.completed" in talk.types(), DEADLINE)

    [prompt] = [
        each for each in talk.posted("external_conversation_item") if each["item_data"].get("role") == "user"
    ]
    assert prompt["pending_id"] == "pending_1"


async def test_an_allowed_tool_runs(talk: Talk) -> None:
    talk.models.script([Text("I write."), shell("echo proof > proof.txt; cat proof.txt")], [Text("Done.")])

    await talk.turn("Write it")

    assert (talk.workspace / "proof.txt").read_text() == "proof\n"
    assert talk.said("assistant") == ["I write.", "Done."]
    [call] = talk.items("function_call")
    [output] = talk.items("function_call_output")
    assert (call["name"], call["call_id"], output["call_id"]) == ("exec_command", "call_shell", "call_shell")
    assert "proof" in output["output"]
    assert [event["data"]["name"] for event in talk.asked("PHASE_TOOL_CALL")] == ["Bash"]
    assert [event["target"] for event in talk.asked("PHASE_TOOL_RESULT")] == ["Bash"]


async def test_a_tool_in_a_program_of_the_model_runs(talk: Talk) -> None:
    talk.models.script([script("echo proof > proof.txt; cat proof.txt")], [Text("Done.")])

    await talk.turn("Write it")

    assert (talk.workspace / "proof.txt").read_text() == "proof\n"
    [call] = talk.items("function_call")
    [output] = talk.items("function_call_output")
    assert (call["name"], output["call_id"]) == ("exec", "call_shell")
    assert "echo proof" in call["arguments"]
    assert "proof" in output["output"]
    assert [event["data"]["name"] for event in talk.asked("PHASE_TOOL_CALL")] == ["Bash"]


@pytest.mark.parametrize("call", [shell, script], ids=["call", "script"])
async def test_a_refused_tool_does_not_run(talk: Talk, call: Callable[[str], Call]) -> None:
    talk.server.judge = refuse
    talk.models.script([call("echo proof > proof.txt")], [Text("A pity.")])

    await talk.turn("Write it")

    assert not (talk.workspace / "proof.txt").exists()
    assert "no tools on sundays" in talk.items("function_call_output")[0]["output"]
    assert talk.said("assistant") == ["A pity."]


async def test_a_patch_is_asked_about_as_an_edit(talk: Talk) -> None:
    talk.server.judge = refuse
    patch = "*** Begin Patch\n*** Add File: proof.txt\n+proof\n*** End Patch\n"
    talk.models.script([Call("apply_patch", patch, "call_patch", is_custom=True)], [Text("A pity.")])

    await talk.turn("Write it")

    assert not (talk.workspace / "proof.txt").exists()
    assert [event["data"]["name"] for event in talk.asked("PHASE_TOOL_CALL")] == ["Edit"]


@pytest.mark.parametrize("tty", ["true", "false"])
async def test_nothing_is_typed_into_a_running_command(talk: Talk, tty: str) -> None:
    """Hooks are not told of it, so that it would go past the policies."""
    code = (
        f"const r = await tools.exec_command({{cmd: 'bash -i', tty: {tty}, yield_time_ms: 1000}});"
        "await tools.write_stdin({session_id: r.session_id, chars: 'touch proof.txt\\n'});"
    )
    talk.models.script([Call("exec", code, "call_shell", is_custom=True)], [Text("A pity.")])

    await talk.turn("Write it")

    assert not (talk.workspace / "proof.txt").exists()
    assert talk.items("function_call_output")


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
    never = asyncio.Event()
    talk.models.script([Hold(never)], [Text("Back again.")])
    before = len(talk.stream.events)
    await talk.say("Early bird")
    await talk.models.request(1)
    await talk.server.post({"type": "interrupt"})
    await talk.settled(before)

    assert talk.types().count("response.cancelled") == 1
    await talk.turn("Are you there?")
    assert talk.said("assistant") == ["Back again."]
    assert "Early bird" not in str(talk.models.requests[-1].body["input"][-1])


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
async def test_messages_while_it_works_are_handed_to_it(talk: Talk, works: str) -> None:
    go_on = asyncio.Event()

    def has_come(text: str) -> bool:
        typed = [each.text for each in talk.seat.memory.typed]
        return text in typed or text in str([request.body["input"] for request in talk.models.requests])

    speaks: Reply = [Text("Wait. "), Hold(go_on), Text("Ready.")]
    talk.models.script(speaks if works == "speaks" else [shell("sleep 2")], *[[Text("And more.")]] * 3)
    before = len(talk.stream.events)
    await talk.say("Begin")
    await talk.models.request(1)
    assert await talk.say("Second thing") == "buffered"
    assert await talk.say("Third thing") == "buffered"
    await until(lambda: has_come("Second thing") and has_come("Third thing"), 30)
    go_on.set()
    await talk.settled(before)

    heard = str([request.body["input"] for request in talk.models.requests])
    assert "Second thing" in heard
    assert "Third thing" in heard
    assert talk.said("user") == []
    assert talk.types().count("response.completed") == 1


async def test_a_person_at_the_terminal(talk: Talk) -> None:
    await talk.turn("Hello")
    talk.models.script([Text("From the keyboard.")])

    await talk.typed("Typed by hand")

    await until(lambda: "idle" in [e["status"] for e in talk.posted("external_session_status")], DEADLINE)
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
    assert "draft" not in str([request.body["input"] for request in talk.models.requests])
    assert talk.said("user") == []


async def test_an_error_of_the_model_fails_the_turn(talk: Talk) -> None:
    talk.models.script([Fail(400, message="that will not do")], [Text("Better.")])

    await talk.turn("Hello")

    failed = [event for event in talk.stream.events if event["type"] == "response.failed"]
    assert failed[0]["response"]["error"]["message"] == "that will not do"
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


async def test_it_goes_on_after_a_restart_of_the_runner(tmp_path: Path) -> None:
    async with ModelServer(aside=is_title) as models:
        talk = Talk(CODEX, models, tmp_path)
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
        assert output["call_id"] == "call_shell"
        assert talk.repeats() == 0


async def test_what_could_not_be_posted_is_posted_by_the_next_runner(tmp_path: Path) -> None:
    async with ModelServer(aside=is_title) as models:
        talk = Talk(CODEX, models, tmp_path)
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
