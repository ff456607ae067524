"""A vendor without latency, in the bench's own process so that both ends of a turn are on one clock."""

import asyncio
import re
import time
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from types import MappingProxyType
from typing import Final, Self

from tests.model_server import Hold, ModelServer, Prompt, Reply, Text

ASKED: Final = re.compile(r"\[turn (\d+)\]")
SHOWN: Final = re.compile(r"t(\d+)k(\d+);")
QUICK_TOKENS: Final = 20
PACE_SECONDS: Final = 0.02
SCRIPTED: Final = "scripted"


class Turn:
    """One turn on its way; times are in nanoseconds.

    With `paced` tokens the vendor waits a moment before each, so that every one has a delay of its own;
    without, it sends QUICK_TOKENS as fast as it can.
    """

    def __init__(self, number: int, *, paced: int = 0) -> None:
        self.number = number
        self.paced = paced
        self.posted = 0
        self.asked = 0
        self.first_read = 0
        self.left: dict[int, int] = {}
        self.read: dict[int, int] = {}
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def text_for(self, harness: str) -> str:
        """The user's message: the scripted harness asks no vendor, and counts as many words itself."""
        if harness == SCRIPTED:
            return f"Count to {self.paced or QUICK_TOKENS}"
        return f"Answer at once. [turn {self.number}]"

    @property
    def delays(self) -> list[float]:
        """Milliseconds of the tokens that left and were read."""
        return [(self.read[token] - left) / 1e6 for token, left in self.left.items() if token in self.read]


class Vendor(AbstractAsyncContextManager["Vendor"]):
    """Knows which turn a model request belongs to by the user's words in it."""

    def __init__(self) -> None:
        self._server = ModelServer(respond=self._reply)
        self._turns: dict[int, Turn] = {}
        self._made = 0
        self._pacing: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._server.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._pacing:
            task.cancel()
        await asyncio.gather(*self._pacing, return_exceptions=True)
        await self._server.__aexit__()

    @property
    def environ(self) -> Mapping[str, str]:
        """What points every harness at this vendor."""
        return environ_of(self._server.url)

    def turn(self, *, paced: int = 0) -> Turn:
        """A new turn, not posted yet."""
        self._made += 1
        turn = self._turns[self._made] = Turn(self._made, paced=paced)
        return turn

    def forget(self, turn: Turn) -> None:
        """It is over; so that a long run keeps neither turns nor what was asked in them."""
        del self._turns[turn.number]
        self._server.requests.clear()

    def _reply(self, prompt: Prompt) -> Reply:
        now = time.perf_counter_ns()
        found = ASKED.search(prompt.user_text)
        turn = self._turns.get(int(found[1])) if found else None
        if turn is None:
            return [Text("Yes.")]
        turn.asked = turn.asked or now
        words = [f"t{turn.number}k{token}; " for token in range(turn.paced or QUICK_TOKENS)]
        if not turn.paced:
            return [Text("".join(words))]
        gates = [asyncio.Event() for _ in words]
        pacing = asyncio.create_task(pace(turn, gates))
        self._pacing.add(pacing)
        pacing.add_done_callback(self._pacing.discard)
        return [step for gate, word in zip(gates, words, strict=True) for step in (Hold(gate), Text(word))]


async def pace(turn: Turn, gates: list[asyncio.Event]) -> None:
    """Let one token out after the other."""
    for token, gate in enumerate(gates):
        await asyncio.sleep(PACE_SECONDS)
        turn.left[token] = time.perf_counter_ns()
        gate.set()


def environ_of(url: str) -> Mapping[str, str]:
    """Keys and addresses for every harness; the scripted one makes no pauses."""
    return MappingProxyType(
        {
            "OPENAI_API_KEY": "sk-bench",
            "OPENAI_BASE_URL": f"{url}/v1",
            "ANTHROPIC_API_KEY": "sk-ant-bench",
            "ANTHROPIC_BASE_URL": url,
            "OMNIGENT_SCRIPTED_PAUSE_SECONDS": "0",
        }
    )
