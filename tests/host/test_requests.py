"""The tasks that answer requests: bounded, and never without an answer."""

import asyncio

from omnigent.host.handlers import MAX_PENDING, MAX_RUNNING, Requests, Route
from omnigent.protocol.host_frames import Result, Stat, StatResult
from tests.host.doubles import until


class Desk:
    """Requests whose one handler waits for `gate`."""

    def __init__(self) -> None:
        self.replies: list[Result] = []
        self.running = 0
        self.gate = asyncio.Event()
        self.requests = Requests({Stat: Route(result=StatResult, run=self.handle)}, self.reply)

    async def handle(self, ask: Stat) -> StatResult:
        self.running += 1
        await self.gate.wait()
        self.running -= 1
        if ask.path == "/broken":
            raise RuntimeError("bug")
        return StatResult(request_id=ask.request_id, status="ok")

    async def reply(self, result: Result) -> None:
        self.replies.append(result)


async def test_past_the_bound_a_request_is_refused_at_once() -> None:
    desk = Desk()
    for number in range(MAX_PENDING + 1):
        await desk.requests.accept(Stat(request_id=str(number), path="/"))

    assert [(reply.request_id, reply.status) for reply in desk.replies] == [(str(MAX_PENDING), "failed")]
    await until(lambda: desk.running == MAX_RUNNING, "the first tasks")
    desk.gate.set()
    await until(lambda: len(desk.replies) == MAX_PENDING + 1, "all answers")


async def test_a_handler_that_breaks_is_answered_without_its_details() -> None:
    desk = Desk()
    desk.gate.set()
    await desk.requests.accept(Stat(request_id="1", path="/broken"))
    await until(lambda: desk.replies, "the answer")

    assert (desk.replies[0].status, desk.replies[0].error) == ("failed", "internal error of the host")


async def test_closing_drops_what_still_waits() -> None:
    desk = Desk()
    await desk.requests.accept(Stat(request_id="1", path="/"))
    await until(lambda: desk.running, "the task")
    await desk.requests.close()

    assert desk.replies == []
