"""One live session: its inbox, its current turn, and what the server tells it."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

from omnigent.protocol.events import ElicitationResolved, SessionStateReset, SessionStatus
from omnigent.runner.announce import Announcer, error_object
from omnigent.runner.approvals import Answer
from omnigent.runner.endings import Ending, ending_of, post_interruption
from omnigent.runner.harnesses.base import Usage
from omnigent.runner.inbox import Inbox, Message
from omnigent.runner.profile import Profile
from omnigent.runner.runtime import Runtime
from omnigent.runner.uplink import Uplink
from omnigent.runner.workbench import Workbench

log = logging.getLogger(__name__)

Status = Literal["idle", "running", "failed"]
STOPPED: Final = "runner_stopped"
_DELIVERY_SECONDS: Final = 5.0


class LiveSession:
    """Runs turns one after the other. Everything that changes its state happens without a pause.

    A message to a session without a turn starts one; others wait in the inbox and join the running turn
    after its tools, or become one turn together when it has ended.
    """

    def __init__(self, session_id: str, runtime: Runtime) -> None:
        self.id = session_id
        self.uplink = Uplink(limit=runtime.config.retain_bytes)
        self.bench = Workbench(session_id, runtime, self.uplink)
        self.status: Status = "idle"
        self.created_at = int(time.time())
        self._runtime = runtime
        self._inbox = Inbox()
        self._worker: asyncio.Task[None] | None = None
        self._turn: asyncio.Task[None] | None = None
        self._cancel_next = False
        self._stopping = False
        self._reset_due = False
        self._response_id: str | None = None
        self._went_well = False

    def describe(self) -> dict[str, Any]:
        """The session as the runner's API shows it."""
        return {
            "id": self.id,
            "agent_id": self.bench.equipment.profile.agent_id if self.bench.equipment.profile else None,
            "status": self.status,
            "created_at": self.created_at,
            "active_response_id": self._response_id,
            "buffered": len(self._inbox),
        }

    # -- events of the server ----------------------------------------------------------------------

    def message(self, body: Message) -> str:
        """Admit a message: `accepted`, `buffered` or `duplicate`."""
        if self._inbox.is_repeat(body.get("persisted_item_id") or body.get("pending_id")):
            return "duplicate"
        self._inbox.put(body)
        if self.status == "running":
            self.bench.native.nudge()
            return "buffered"
        self._set_status("running")
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work(), name=f"session-{self.id}")
        return "accepted"

    def is_repeat(self, body: Mapping[str, Any]) -> bool:
        """Whether this delivery of a control event was taken before."""
        return self._inbox.is_repeat(body.get("delivery_id"))

    def interrupt(self) -> None:
        """End the current turn as cancelled, also one that has not begun; nothing happens without one."""
        if self._turn is not None:
            if not self._turn.cancelling():
                self._turn.cancel()
        elif self.status == "running":
            self._cancel_next = True
        else:
            self.bench.native.interrupt()

    def approval(self, body: Mapping[str, Any]) -> bool:
        """Whether the answer could be read; it is handed to whoever waits for it."""
        data = body["data"] if isinstance(body.get("data"), Mapping) else body
        elicitation_id, answer = data.get("elicitation_id"), Answer.of(data)
        if not isinstance(elicitation_id, str) or answer is None:
            return False
        self.bench.approvals.resolve(elicitation_id, answer)
        self.uplink.put(ElicitationResolved(elicitation_id=elicitation_id))
        return True

    def tool_result(self, call_id: str, output: str) -> None:
        self.bench.client_results.resolve(call_id, output)

    def change(self, **settings: str | None) -> None:
        """The user chose another model or effort; the next turn has it. Names are those of Profile."""
        if self.bench.equipment.profile is not None:
            self.bench.equipment.profile = replace(self.bench.equipment.profile, **settings)

    async def initialise(self, body: Mapping[str, Any]) -> None:
        """Take the session's settings and fetch its agent. Raises what Equipment.agent raises."""
        profile = Profile.of_init(body)
        if profile is not None:
            self.bench.equipment.profile = profile
        await self.bench.equipment.agent()
        self.bench.equipment.warm_up()

    def reset(self) -> None:
        """Forget everything that the server knows better; a turn that runs keeps what it works with."""
        self._reset_due = self.status == "running"
        if not self._reset_due:
            self.bench.forget()
        self.uplink.put(SessionStateReset(session_id=self.id))

    # -- the end -------------------------------------------------------------------------------------

    async def stop(self) -> None:
        """The process ends: settle the running turn as failed and run no other."""
        self._stopping = True
        if self._turn is not None:
            self._turn.cancel()
        if self._worker is not None:
            await asyncio.gather(self._worker, return_exceptions=True)
        await self.bench.close()

    async def delete(self) -> None:
        """The session is gone: nothing is announced any more."""
        self._stopping = True
        self.uplink.close()
        for task in (self._turn, self._worker):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await self.bench.close()

    # -- turns ---------------------------------------------------------------------------------------

    async def _work(self) -> None:
        while len(self._inbox) and not self._stopping:
            messages = self._inbox.take_all()
            announcer = Announcer(
                self.uplink, session_id=self.id, agent=str(messages[0].get("model") or "agent")
            )
            ending = await self._one_turn(messages, announcer)
            self._settle(ending, announcer)
            if ending.kind == "interrupted":
                await self._delivered()
                await post_interruption(self._runtime.api, self.id, ending.unfinished)
        if self._stopping and self.status == "running":
            self._set_status("failed", error_object(STOPPED, _STOPPED_EARLY, undelivered=True))

    async def _one_turn(self, messages: Sequence[Message], announcer: Announcer) -> Ending:
        if self._reset_due:
            self._reset_due = False
            self.bench.forget()
        self._response_id = announcer.response_id
        is_stale = self._went_well and all(map(self.bench.has_read, messages))
        self.bench.admit(messages)
        work = self._nothing(announcer) if is_stale else self._run(messages, announcer)
        turn = asyncio.create_task(work, name=f"turn-{announcer.response_id}")
        self._turn = turn
        if self._cancel_next or self._stopping:
            self._cancel_next = False
            turn.cancel()
        try:
            await asyncio.wait({turn})
        finally:
            turn.cancel()
            self._turn = None
            self._response_id = None
        ending = ending_of(turn, stopping=self._stopping)
        self._went_well = ending.kind == "completed"
        return replace(ending, unfinished=self.bench.close_turn(note=ending.kind == "interrupted"))

    async def _nothing(self, announcer: Announcer) -> None:
        """The last turn had what this one was to tell: two sub-agents returned at once."""
        announcer.start()
        announcer.completed(Usage())

    async def _run(self, messages: Sequence[Message], announcer: Announcer) -> None:
        turn = await self.bench.prepare(messages, announcer, lambda: self._inbox.take_steers(messages[0]))
        await self.bench.run(turn, announcer)

    def _settle(self, ending: Ending, announcer: Announcer) -> None:
        """Announce how the turn ended, then what the session does now."""
        if ending.kind == "failed":
            undelivered = True if self._stopping and len(self._inbox) else None
            error = error_object(ending.code, ending.message, undelivered=undelivered)
            announcer.failed(error, ending.source)
            self._set_status("failed", error, announcer.response_id)
        elif ending.kind != "completed":
            announcer.cancelled()
        if len(self._inbox):
            if not self._stopping:
                self._set_status("running")
        elif ending.kind != "failed":
            self._set_status("idle")

    async def _delivered(self) -> None:
        """Let the server store what the turn said before what is said about the turn."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DELIVERY_SECONDS):
                await self.uplink.delivered()

    def _set_status(
        self, status: Status, error: dict[str, Any] | None = None, response_id: str | None = None
    ) -> None:
        self.status = status
        self.uplink.put(
            SessionStatus(conversation_id=self.id, status=status, error=error, response_id=response_id)
        )


_STOPPED_EARLY: Final = "The runner was stopped before it took up the messages that were waiting."
