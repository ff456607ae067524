"""The line to type in, fed key by key: an answer counts only for a question that its typist could see."""

import asyncio
import io
from collections.abc import AsyncIterator, Callable

import pytest
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from omnigent_client.cli.live.desk import Desk
from omnigent_client.cli.live.view import SessionView
from omnigent_client.cli.screen import Screen
from tests.cli.recorded import asked, event, session

SECONDS = 10


class Typist:
    """Somebody at a desk."""

    def __init__(self, keys: PipeInput) -> None:
        self.view = SessionView(session())
        self.interrupts = 0
        self.keys = keys
        screen = Screen(io.StringIO(), io.StringIO(), {})
        self.desk = Desk(screen, self.view, self._interrupted, input=keys, output=DummyOutput())
        self.reading = asyncio.create_task(self.desk.next_line())

    def _interrupted(self) -> None:
        self.interrupts += 1

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the loop turn until something is true."""
        async with asyncio.timeout(SECONDS):
            while not condition():  # noqa: ASYNC110  # the prompt announces its keys to nobody else
                await asyncio.sleep(0.005)

    async def type(self, text: str) -> None:
        """Press keys; return when they have been taken."""
        self.keys.send_text(text)
        await self.until(lambda: self.desk.typed_text == text)

    async def enter(self) -> tuple[str, str | None]:
        """Press Enter; the line and the question it may answer."""
        self.keys.send_text("\r")
        return await asyncio.wait_for(self.reading, SECONDS)


@pytest.fixture
async def typist() -> AsyncIterator[Typist]:
    """Sits down, and stands up at the end."""
    with create_pipe_input() as keys:
        typist = Typist(keys)
        yield typist
        typist.reading.cancel()
        await asyncio.gather(typist.reading, return_exceptions=True)


async def test_a_line_that_was_begun_before_the_question_does_not_answer_it(typist: Typist) -> None:
    await typist.type("y")

    typist.view.feed(asked("elicit_1"))

    assert await typist.enter() == ("y", None)


async def test_a_line_that_was_begun_after_the_question_answers_it(typist: Typist) -> None:
    typist.view.feed(asked("elicit_1"))

    await typist.type("y")
    typist.view.feed(asked("elicit_2"))

    assert await typist.enter() == ("y", "elicit_1")


async def test_a_question_that_took_another_s_place_is_the_one_that_is_answered(typist: Typist) -> None:
    typist.view.feed(asked("elicit_1"))
    typist.view.feed(event("response.elicitation_resolved", elicitation_id="elicit_1", action="accept"))
    typist.view.feed(asked("elicit_2"))

    await typist.type("n")

    assert await typist.enter() == ("n", "elicit_2")


async def test_ctrl_c_empties_the_line_and_interrupts(typist: Typist) -> None:
    await typist.type("half a thought")

    typist.keys.send_text("\x03")

    await typist.until(lambda: typist.interrupts == 1)
    assert typist.desk.typed_text == ""


async def test_ctrl_d_leaves(typist: Typist) -> None:
    typist.keys.send_text("\x04")

    with pytest.raises(EOFError):
        await asyncio.wait_for(typist.reading, SECONDS)


async def test_the_desk_can_be_left_from_elsewhere(typist: Typist) -> None:
    await typist.type("x")

    typist.desk.leave()

    with pytest.raises(EOFError):
        await asyncio.wait_for(typist.reading, SECONDS)
