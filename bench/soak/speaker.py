"""One person in one session: says something and waits until it is over; answers what is asked, twice."""

import asyncio
import random
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.soak.follower import Follower

RETRY_SECONDS = 0.3
LOOK_SECONDS = 0.1
PATIENCE_SECONDS = 150
PAUSES = (4.0, 16.0)
FINAL = (200, 202, 400, 404, 409, 422)


@dataclass(slots=True)
class Deed:
    """One message: its text, and the line that its command leaves in a file."""

    text: str
    token: str = ""

    @property
    def asks(self) -> bool:
        """Whether the command waits for a person's consent."""
        return self.text.startswith("Ask me")


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a person said to a question about a command, and what the server told of it."""

    question: str
    command: str
    action: str
    told: Mapping[str, Any]

    @property
    def counts(self) -> str:
        """The verdict that stands, as this person was told."""
        return str((self.told.get("resolution") or {"action": self.action})["action"])


class Speaker:
    """Goes on until it is told to stop; `said` is what the server accepted, in order, `verdicts` as well."""

    def __init__(
        self, follower: Follower, urls: Sequence[str], workspace: Path, chance: random.Random
    ) -> None:
        self.session_id = follower.session_id
        self.follower = follower
        self.said: list[Deed] = []
        self.verdicts: list[Verdict] = []
        self.faults: list[str] = []
        self.file = workspace / f"{self.session_id}.txt"
        self._urls = urls
        self._chance = chance

    async def run(self, client: httpx.AsyncClient, stopping: asyncio.Event) -> None:
        """Converse."""
        while not stopping.is_set():
            deed = self._deed()
            before = self.follower.seen.last_id
            answer = await self._post(client, "events", message(deed.text))
            if answer is None or answer.status_code != httpx.codes.ACCEPTED:
                self.faults.append(f"not accepted: {deed.text!r}: {answer and answer.text}")
                return
            self.said.append(deed)
            if not await self._until_over(before):
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

    async def attend(self, client: httpx.AsyncClient) -> None:
        """Answer whatever is asked, also by a runner that comes back late, until this is cancelled."""
        answered = set[str]()
        while True:
            for question, command in list(self.follower.questions.items()):
                if question not in answered:
                    answered.add(question)
                    await self._answer(client, question, command)
            await asyncio.sleep(LOOK_SECONDS)

    async def _until_over(self, before: int) -> bool:
        """Wait for a rest that comes after what was said."""
        for _ in range(int(PATIENCE_SECONDS / LOOK_SECONDS)):
            if self.follower.rested_at > before and self.follower.is_at_rest:
                return True
            await asyncio.sleep(LOOK_SECONDS)
        return False

    async def _answer(self, client: httpx.AsyncClient, question: str, command: str) -> None:
        """Two people answer at once, one yes and one no."""
        path = f"elicitations/{question}/resolve"
        actions = ["accept", "decline"]
        self._chance.shuffle(actions)
        answers = await asyncio.gather(*(self._post(client, path, {"action": each}) for each in actions))
        for action, answer in zip(actions, answers, strict=True):
            if answer is None:
                self.faults.append(f"no answer to the {action} of {question}")
            elif answer.status_code == httpx.codes.ACCEPTED:
                self.verdicts.append(
                    Verdict(question=question, command=command, action=action, told=answer.json())
                )
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
