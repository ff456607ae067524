"""One person in one session: says something, waits until it is over, answers what is asked, twice."""

import asyncio
import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from bench.soak.follower import Follower

RETRY_SECONDS = 0.3
PATIENCE_SECONDS = 150
PAUSES = (4.0, 16.0)
FINAL = (200, 202, 400, 404, 409, 422)


@dataclass(slots=True)
class Deed:
    """One message: its text, the line that its command leaves in a file, and how a question was answered."""

    text: str
    token: str = ""
    answers: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def asks(self) -> bool:
        """Whether the command waits for a person's consent."""
        return self.text.startswith("Ask me")


class Speaker:
    """Goes on until it is told to stop; `said` is what the server accepted, in order."""

    def __init__(
        self, follower: Follower, urls: Sequence[str], workspace: Path, chance: random.Random
    ) -> None:
        self.session_id = follower.session_id
        self.follower = follower
        self.said: list[Deed] = []
        self.faults: list[str] = []
        self.file = workspace / f"{self.session_id}.txt"
        self._urls = urls
        self._chance = chance

    async def run(self, client: httpx.AsyncClient, stopping: asyncio.Event) -> None:
        """Converse."""
        while not stopping.is_set():
            deed = self._deed()
            before = self.follower.seen.last_id
            known = len(self.follower.questions)
            answer = await self._post(client, "events", message(deed.text))
            if answer is None or answer.status_code != httpx.codes.ACCEPTED:
                self.faults.append(f"not accepted: {deed.text!r}: {answer and answer.text}")
                return
            self.said.append(deed)
            if not await self._until_over(client, deed, before, known):
                self.faults.append(f"{deed.text!r} was not over within {PATIENCE_SECONDS} s")
                return
            await asyncio.sleep(self._chance.uniform(*PAUSES))

    def _deed(self) -> Deed:
        token = uuid.UUID(int=self._chance.getrandbits(128)).hex
        command = f"echo {token} >> {self.file.name}"
        kind = self._chance.random()
        if kind < 0.5:
            return Deed(text=f"Count to {self._chance.randint(10, 60)} slowly")
        if kind < 0.8:
            return Deed(text=f"Run the shell command: {command}", token=token)
        return Deed(text=f"Ask me before running: {command}", token=token)

    async def _until_over(self, client: httpx.AsyncClient, deed: Deed, before: int, known: int) -> bool:
        """Wait for a rest that comes after what was said; a question meanwhile is answered."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while self.follower.rested_at <= before or self.follower.status not in ("idle", "failed"):
                    for question in self.follower.questions[known:]:
                        known += 1
                        await self._answer(client, deed, question)
                    await asyncio.sleep(0.1)
        except TimeoutError:
            return False
        return True

    async def _answer(self, client: httpx.AsyncClient, deed: Deed, question: str) -> None:
        """Two people answer at once, one yes and one no."""
        path = f"elicitations/{question}/resolve"
        actions = ["accept", "decline"]
        self._chance.shuffle(actions)
        answers = await asyncio.gather(*(self._post(client, path, {"action": each}) for each in actions))
        for action, answer in zip(actions, answers, strict=True):
            if answer is None:
                self.faults.append(f"no answer to the {action} of {question}")
            elif answer.status_code == httpx.codes.ACCEPTED:
                deed.answers.append({"question": question, "action": action, **answer.json()})
            else:
                self.faults.append(f"{action} of {question}: {answer.status_code} {answer.text}")

    async def _post(
        self, client: httpx.AsyncClient, path: str, body: Mapping[str, Any]
    ) -> httpx.Response | None:
        """The same request until a replica answers it; None when none does for long."""
        headers = {"Idempotency-Key": uuid.uuid4().hex}
        for _ in range(int(PATIENCE_SECONDS / RETRY_SECONDS)):
            url = f"{self._chance.choice(self._urls)}/v1/sessions/{self.session_id}/{path}"
            try:
                answer = await client.post(url, json=body, headers=headers)
            except httpx.HTTPError:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            in_flight = answer.status_code == httpx.codes.CONFLICT and "in_flight" in answer.text
            if answer.status_code in FINAL and not in_flight:
                return answer
            await asyncio.sleep(RETRY_SECONDS)
        return None


def message(text: str) -> dict[str, Any]:
    """A user message as it is posted."""
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "data": {"role": "user", "content": content}}
