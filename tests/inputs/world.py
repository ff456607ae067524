"""The world of the state machine: a server, a host with its runners, one session and a reader of it."""

import asyncio
import logging
import secrets
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any, TypeVar

import httpx
from django.db import transaction
from django.utils import timezone

from omnigent.protocol import events
from sessions_app.models import Item, Lease, LogEntry, Outbox, Session, Turn, TurnStatus
from sessions_app.services import fleet
from tests.inputs.door import Door
from tests.inputs.fake_agent import FakeAgent
from tests.inputs.fake_host import FakeHost
from tests.inputs.fake_runner import FakeRunner
from tests.inputs.reader import Reader
from tests.inputs.rig import Rig, said
from tests.inputs.waiting import eventually

T = TypeVar("T")
BUSY = ("running", "waiting")


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """What the database holds of the session at one moment."""

    status: str
    seq: int
    last_error: dict[str, Any] | None
    log: list[tuple[int, str, str]]
    items: list[tuple[int, str, str]]
    running_turns: int
    outbox: list[str]
    has_live_lease: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Posted:
    """A message that was acknowledged, and how to repeat it."""

    key: str
    text: str
    item_id: str


class Errors(logging.Handler):
    """Keeps what the server logs as an error: in this world nothing may go wrong inside it."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(self.format(record))


@dataclass
class World:
    """Everything that a step can touch. Call `do` with a coroutine; nothing runs in between."""

    loop: asyncio.Runner = field(default_factory=asyncio.Runner)
    posted: list[Posted] = field(default_factory=list)
    agents: list[FakeAgent] = field(default_factory=list)
    history: list[str] = field(default_factory=list)
    errors: Errors = field(default_factory=Errors)
    was_expired: bool = False
    may_be_lost: set[str] = field(default_factory=set)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something to its end."""
        with self.explained(work.__qualname__):
            return self.loop.run(work)

    @contextmanager
    def explained(self, what: str) -> Iterator[None]:
        """What fails in the block tells what was done before it."""
        self.history.append(what)
        try:
            yield
        except AssertionError as error:
            error.add_note("\n".join([*self.history, *self._scene()]))
            raise

    def _scene(self) -> list[str]:
        now = self.loop.run(self.stored())
        agents = [
            f"{agent.runner.runner_id}: active={agent.active!r} line={agent.runner.line} "
            f"unacknowledged={agent.runner.has_unacknowledged(self.session_id)} alive={agent is self.agent}"
            for agent in self.agents
        ]
        return [*agents, repr(now)]

    async def open(self) -> None:
        """Start the server, the host and the reader."""
        logging.getLogger("sessions_app").addHandler(self.errors)
        logging.getLogger("omnigent").addHandler(self.errors)
        self.numbers = count(1)
        self.door = Door()
        await self.door.start()
        transport = httpx.ASGITransport(app=self.door)  # type: ignore[arg-type]  # our ASGI types are narrower than httpx's
        self.http = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:6767", timeout=30)
        self.rig = Rig(door=self.door, http=self.http)
        self.host = FakeHost(self.door, host_id=secrets.token_hex(16))
        self.host.on_start = self._started
        await self.host.connect()
        self.session_id = await self.rig.hosted(self.host)
        self.reader = Reader(self.door, self.session_id)
        await self.reader.connect()

    async def close(self) -> None:
        """End everything."""
        await self.reader.disconnect()
        await self.host.end()
        await self.http.aclose()
        await self.door.stop()
        logging.getLogger("sessions_app").removeHandler(self.errors)
        logging.getLogger("omnigent").removeHandler(self.errors)

    def _started(self, runner: FakeRunner) -> None:
        if self.agents:
            self.forget(self.agents[-1])
        self.agents.append(FakeAgent(runner, self.session_id, self.numbers))

    @property
    def agent(self) -> FakeAgent | None:
        """The agent of the runner process that is alive."""
        if self.agents and self.agents[-1].runner.runner_id in self.host.alive:
            return self.agents[-1]
        return None

    @property
    def is_connected(self) -> bool:
        return self.agent is not None and self.agent.runner.line is not None

    def forget(self, agent: FakeAgent) -> None:
        """What this agent has emitted may never be shown."""
        self.may_be_lost.update(agent.tokens)

    async def post(self) -> None:
        """Post a new message under a key of its own."""
        number = next(self.numbers)
        key, words = f"key-{self.session_id}-{number}", f"message {number}"
        answer = await self.rig.post(self.session_id, said(words), key=key)
        assert answer.status_code == 202, answer.text
        self.posted.append(Posted(key=key, text=words, item_id=answer.json()["item_id"]))

    async def kill(self) -> None:
        """The runner process dies, and its host tells."""
        agent = self.agent
        assert agent is not None
        await agent.runner.end()
        self.forget(agent)
        self.host.report_exit(agent.runner.runner_id, "killed", had_connected=True)

    async def expire(self) -> None:
        """So much time passes that leases of closed tunnels run out; then the reconciler looks."""

        def pass_time() -> None:
            long_ago = timezone.now() - timedelta(hours=1)
            Lease.objects.filter(kind="runner", closed_at__isnull=False).update(expires_at=long_ago)
            fleet.reconcile()

        await self.rig.run(pass_time)
        if self.agent is not None:
            self.forget(self.agent)
        self.was_expired = True

    async def restart(self) -> None:
        """The server ends in order and starts again; host and runner dial in anew."""
        runner = self.agent.runner if self.is_connected and self.agent is not None else None
        await self.reader.disconnect()
        await self.door.restart()
        await self.host.connect()
        await self.rig.known_host(self.host)
        if runner is not None:
            await runner.connect()
            await self.rig.known(runner)
        await self.reader.connect()

    async def stored(self) -> Stored:
        """What the database holds now."""
        return await self.rig.run(_stored, self.session_id)

    async def settle(self) -> Stored:
        """Wait until whatever can be done has been done, and the reader has seen it."""

        async def is_settled() -> Stored | None:
            now = await self.stored()
            agent = self.agent
            if agent is None:
                return None if now.outbox or now.status in BUSY else now
            if agent.runner.line is None:
                return now if agent.runner.has_dialled else None
            is_heard = now.status in BUSY or self.session_id in agent.runner.line.streams
            is_owed = is_heard and agent.runner.has_unacknowledged(self.session_id)
            return None if now.outbox or is_owed else now

        now = await eventually(is_settled, "the world is settled")
        assert now is not None
        await self.reader.reaches(now.seq)
        return now


@transaction.atomic
def _stored(session_id: str) -> Stored:
    # Whoever changes anything of a session locks its row.
    session = Session.objects.select_for_update(of=("self",)).get(public_id=session_id)
    log = LogEntry.objects.filter(session=session).order_by("seq").values_list("seq", "type", "data")
    items = Item.objects.filter(session=session).order_by("position")
    lease = Lease.objects.filter(kind="runner", name=session.runner_id, expires_at__gt=timezone.now())
    return Stored(
        status=session.status,
        seq=session.seq,
        last_error=session.last_task_error,
        log=list(log),
        items=[(row.position, row.public_id, row.data) for row in items],
        running_turns=Turn.objects.filter(session=session, status=TurnStatus.RUNNING).count(),
        outbox=list(Outbox.objects.filter(session=session).order_by("id").values_list("kind", flat=True)),
        has_live_lease=lease.exists(),
    )


TERMINAL = events.TERMINAL
