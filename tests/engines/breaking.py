"""How an engine's turn must end when something goes wrong, and that the next one works."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.engines.rig import EngineRig, Talk
from tests.model_server import (
    BreakInside,
    Call,
    Cut,
    End,
    Fail,
    Garbage,
    Silence,
    Text,
    Unanswered,
)


class EngineFailures(EngineRig):
    """Failures of the provider, of the way to it, and of the engine's own process."""

    async def _still_works(self, talk: Talk) -> None:
        """A turn after the failure: the server has no scripted reply left but this one."""
        talk.server.script([Text("Working again.")])
        outcome = await talk.turn("Are you there?")
        assert outcome.error is None
        assert outcome.text == "Working again."

    @pytest.mark.parametrize(
        ("failure", "codes"),
        [
            pytest.param(Fail(400), {"bad_request"}, id="bad-request"),
            pytest.param(Fail(401, "authentication_error"), {"authentication_error"}, id="key"),
            pytest.param(Fail(403, "permission_error"), {"permission_denied"}, id="permission"),
            pytest.param(Fail(404, "not_found_error"), {"not_found"}, id="model"),
            pytest.param(
                Fail(400, message="prompt is too long: 9 tokens > 8 maximum"),
                {"context_length_exceeded"},
                id="context",
            ),
        ],
    )
    async def test_a_refusal_fails_the_turn(self, tmp_path: Path, failure: Fail, codes: set[str]) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script(*[[failure]] * 4)

            outcome = await talk.turn("Hello")

            assert outcome.code in codes
            assert outcome.text == ""
            # Some engines ask again in simpler terms.
            assert len(talk.server.requests) <= 3
            talk.server.forget_script()
            await self._still_works(talk)

    @pytest.mark.parametrize("status", [429, 500, 529])
    async def test_a_passing_failure_is_repeated(self, tmp_path: Path, status: int) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script([Fail(status, "overloaded_error")], [Text("Back again.")])

            outcome = await talk.turn("Hello")

            assert outcome.error is None
            assert outcome.text == "Back again."
            assert len(talk.server.requests) == 2

    async def test_a_repetition_is_told(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script([Fail(529, "overloaded_error")], [Text("Back again.")])

            outcome = await talk.turn("Hello")

            assert [retry.attempt for retry in outcome.retries] == [1]

    @pytest.mark.parametrize(
        "last",
        [
            pytest.param(Cut(), id="cut"),
            pytest.param(End(), id="no-terminal-event"),
            pytest.param(Garbage(), id="garbage"),
        ],
    )
    async def test_a_stream_that_breaks_off_ends_in_a_stated_way(self, tmp_path: Path, last: Any) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script([Text("Half an"), last], *[[Text("Recovered.")]] * 3)

            outcome = await talk.turn("Hello")

            # A connection that is reset loses what its client has not read yet.
            assert outcome.text.startswith("Half an") or isinstance(last, Cut)
            if outcome.error is None:
                assert outcome.text.endswith("Recovered.")
            else:
                assert outcome.code in {"stream_interrupted", "malformed_stream", "provider_unavailable"}
            talk.server.forget_script()
            await self._still_works(talk)

    async def test_an_error_inside_the_stream_ends_in_a_stated_way(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            broken = BreakInside(self.subject.broken_kind, "it broke")
            talk.server.script([Text("Half an"), broken], *[[Text("Recovered.")]] * 3)

            outcome = await talk.turn("Hello")

            assert outcome.text.startswith("Half an")
            if outcome.error is None:
                assert outcome.text.endswith("Recovered.")
            else:
                assert outcome.code in {"provider_unavailable", "stream_interrupted"}
            talk.server.forget_script()
            await self._still_works(talk)

    @pytest.mark.parametrize(
        "reply",
        [
            pytest.param([Text("Half an"), Silence()], id="in-the-stream"),
            pytest.param([Unanswered()], id="no-answer"),
        ],
    )
    async def test_silence_ends_the_turn(self, tmp_path: Path, reply: Any) -> None:
        async with self.talk(tmp_path, silence_seconds=3.0) as talk:
            talk.server.script(*[reply] * 20)

            outcome = await talk.turn("Hello")

            assert outcome.code in {"stream_interrupted", "provider_unavailable"}
            talk.server.forget_script()
            await self._still_works(talk)

    async def test_an_unknown_tool_does_not_end_the_turn(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script([Call("no_such_tool", {}, "call_1")], [Text("Sorry.")])

            outcome = await talk.turn("Hello")

            assert outcome.error is None
            assert outcome.text == "Sorry."

    async def test_arguments_that_cannot_be_read_do_not_end_the_turn(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            name = self.subject.offered("sys_lookup")
            talk.server.script([Call(name, '{"word": ', "call_1")], [Text("Sorry.")])

            outcome = await talk.turn("Hello")

            assert outcome.error is None
            assert outcome.text == "Sorry."

    async def test_a_killed_process_fails_the_turn_and_the_next_has_a_new_one(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script([Text("Half an"), Silence()])
            turn = asyncio.create_task(talk.turn("Hello"))
            await talk.until(lambda: bool(talk.desk.journal))

            processes = self.subject.processes(talk.engine)
            assert processes
            for pid in processes:
                os.kill(pid, signal.SIGKILL)
            outcome = await turn

            assert outcome.code == "harness_error"
            assert outcome.text.strip() == "Half an"
            await self._still_works(talk)

    async def test_a_process_killed_between_turns_is_replaced(self, tmp_path: Path) -> None:
        async with self.talk(tmp_path) as talk:
            talk.server.script([Text("First.")])
            await talk.turn("Hello")
            for pid in self.subject.processes(talk.engine):
                os.kill(pid, signal.SIGKILL)

            await self._still_works(talk)
