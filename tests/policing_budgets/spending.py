"""Sessions that run and spend money, and what is seen of their being stopped."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

from policies_app.models import Decision
from sessions_app.models import Session
from tests.factories import make_child
from tests.inputs.fake_runner import began
from tests.inputs.waiting import eventually
from tests.policing.policed import Policed
from tests.policing.tool_runner import ToolRunner

COST = "omnigent.policies.builtins.cost"
WITHIN = 2.0
RESPONSES = count(1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Spending(Policed):
    """A server, a client of it, and a runner on which all sessions run."""

    runner: ToolRunner

    async def top(self, **fields: Any) -> str:
        """A session of its own; its id."""
        return await self.bound(self.runner, **fields)

    async def below(self, session_id: str, title: str = "a:b", **fields: Any) -> str:
        """A sub-agent of a session, on the same runner; its id."""

        def make() -> str:
            parent = Session.objects.get(public_id=session_id)
            return make_child(parent, title, **{"runner_id": self.runner.runner_id, **fields}).public_id

        return await self.run(make)

    async def runs(self, *session_ids: str) -> None:
        """Begin a turn in each of them."""
        for session_id in session_ids:
            await self.say(session_id, "Go on")
            await self.delivered(session_id)
            await self.runner.reading(session_id)
            await self.runner.tell(session_id, *began(f"resp_{next(RESPONSES)}"))

    async def spends(self, session_id: str, dollars: float | None = None, **more: Any) -> None:
        """Report what a session has cost in all."""
        totals = {} if dollars is None else {"cumulative_cost_usd": dollars}
        answer = await self.post(session_id, {"type": "external_session_usage", "data": {**totals, **more}})
        assert answer.status_code == 202, answer.text

    async def interruptions(self, session_id: str) -> int:
        """How often a session was interrupted."""
        return (await self.log_types(session_id)).count("session.interrupted")

    async def interrupted(self, *session_ids: str) -> None:
        """Wait, no longer than a budget may take, until each was interrupted; once, and the runner knows."""

        async def all_were() -> bool:
            return all([await self.interruptions(session_id) for session_id in session_ids])

        await eventually(all_were, "all are interrupted", WITHIN)
        for session_id in session_ids:
            await self.delivered(session_id)
            assert await self.interruptions(session_id) == 1
        assert self.runner.kinds().count("interrupt") == len(session_ids)

    async def judged(self) -> None:
        """Wait until all that was spent is added up and judged."""

        def is_done() -> bool:
            due = Session.objects.filter(is_usage_due=True) | Session.objects.filter(
                budget_due_at__isnull=False
            )
            return not due.exists()

        await eventually(lambda: self.run(is_done), "nothing is due")

    async def stops(self) -> list[Decision]:
        """The decisions that say that somebody was interrupted."""
        return [one for one in await self.decisions() if "interrupted" in one.reason]

    async def refusal(self, session_id: str, text: str = "More") -> str:
        """Why a message is denied."""
        answer = await self.post(session_id, _message(text))
        assert answer.status_code == 202, answer.text
        body = answer.json()
        assert body["denied"] is True, body
        return str(body["reason"])


def _message(text: str) -> Mapping[str, Any]:
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "data": {"role": "user", "content": content}}


def denied(answer: Mapping[str, Any]) -> str:
    """Why a tool call was denied."""
    assert answer.get("error", {}).get("code") == -32000, answer
    return str(answer["error"]["message"])


def made(answer: Mapping[str, Any]) -> bool:
    """Whether a tool call was made; one about which a person is asked has a result, too."""
    return bool(answer.get("result", {}).get("content") == [{"type": "text", "text": "done"}])
