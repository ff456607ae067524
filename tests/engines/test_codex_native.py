"""The `codex-native` harness with the real program in a terminal."""

import json
import os
from collections.abc import Mapping

import pytest

from omnigent.runner.harnesses.codex_native.program import INSTALL, PROGRAM
from omnigent.runner.harnesses.programs import located
from tests.engines.native_conformance import NativeConformance, refuse
from tests.engines.native_rig import Native, Talk
from tests.model_server import Call, ModelServer, Text
from tests.model_server.prompt import Prompt

pytestmark = [
    pytest.mark.engines,
    pytest.mark.skipif(located(PROGRAM, os.environ) is None, reason=f"needs Codex: {INSTALL}"),
    pytest.mark.skipif(located("tmux", os.environ) is None, reason="needs tmux"),
    pytest.mark.timeout(180),
]


def environment(models: ModelServer) -> Mapping[str, str]:
    return {"OPENAI_API_KEY": "sk-nightingale", "OPENAI_BASE_URL": f"{models.url}/v1"}


def is_title(prompt: Prompt) -> bool:
    """Whether Codex asks for a name of the conversation, which it does beside the first turn."""
    return prompt.wants_form


def shell(command: str) -> Call:
    return Call("exec_command", {"cmd": command}, "call_shell")


def script(command: str) -> Call:
    """A command in a program for the tool that runs programs, as models write them today."""
    code = f"const r = await tools.exec_command({json.dumps({'cmd': command})}); text(r.output ?? r);"
    return Call("exec", code, "call_shell", is_custom=True)


class TestCodexNative(NativeConformance):
    """What it has in common with the others, and what is its own."""

    native = Native(
        harness="codex-native",
        environment=environment,
        shell=shell,
        tool="exec_command",
        heard="input",
        aside=is_title,
    )

    async def test_the_instructions_reach_the_model(self, talk: Talk) -> None:
        await talk.turn("Hello")

        assert "You help." in str(talk.models.requests[0].body)

    @pytest.mark.parametrize("text", ["/nothing like a command", "/usr/bin/env"], ids=["slash", "path"])
    async def test_what_is_no_command_of_the_programs_own_is_text(self, talk: Talk, text: str) -> None:
        await talk.turn(text)

        assert text in talk.said("assistant")[0]
        assert talk.said("user") == []

    async def test_a_tool_in_a_program_of_the_model_may_be_refused(self, talk: Talk) -> None:
        talk.server.judge = refuse
        talk.models.script([script("echo proof > proof.txt")], [Text("A pity.")])

        await talk.turn("Write it")

        assert not (talk.workspace / "proof.txt").exists()
        assert "no tools on sundays" in talk.items("function_call_output")[0]["output"]
        assert talk.said("assistant") == ["A pity."]

    async def test_a_tool_in_a_program_of_the_model_runs(self, talk: Talk) -> None:
        talk.models.script([script("echo proof > proof.txt; cat proof.txt")], [Text("Done.")])

        await talk.turn("Write it")

        assert (talk.workspace / "proof.txt").read_text() == "proof\n"
        [call] = talk.items("function_call")
        [output] = talk.items("function_call_output")
        assert (call["name"], output["call_id"]) == ("exec", "call_shell")
        assert "echo proof" in call["arguments"]
        assert "proof" in output["output"]
        assert [event["data"]["name"] for event in talk.asked("PHASE_TOOL_CALL")] == ["Bash"]

    async def test_a_patch_is_asked_about_as_an_edit(self, talk: Talk) -> None:
        talk.server.judge = refuse
        patch = "*** Begin Patch\n*** Add File: proof.txt\n+proof\n*** End Patch\n"
        talk.models.script([Call("apply_patch", patch, "call_patch", is_custom=True)], [Text("A pity.")])

        await talk.turn("Write it")

        assert not (talk.workspace / "proof.txt").exists()
        assert [event["data"]["name"] for event in talk.asked("PHASE_TOOL_CALL")] == ["Edit"]

    @pytest.mark.parametrize("tty", ["true", "false"])
    async def test_nothing_is_typed_into_a_running_command(self, talk: Talk, tty: str) -> None:
        """Hooks are not told of it, so that it would go past the policies."""
        code = (
            f"const r = await tools.exec_command({{cmd: 'bash -i', tty: {tty}, yield_time_ms: 1000}});"
            "await tools.write_stdin({session_id: r.session_id, chars: 'touch proof.txt\\n'});"
        )
        talk.models.script([Call("exec", code, "call_shell", is_custom=True)], [Text("A pity.")])

        await talk.turn("Write it")

        assert not (talk.workspace / "proof.txt").exists()
        assert talk.items("function_call_output")
