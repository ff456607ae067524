"""Olga's runner and a session on it that a reader, an editor and a manager may do something with."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from omnigent.accounts.gate import Gate
from omnigent.accounts.models import User
from sessions_app.models import Grant, Session
from sessions_app.process import Process
from tests.accounts.people import bearer, make_person, token_for
from tests.factories import make_runner, make_session
from tests.tunnel.fake_runner import FakeRunner

OWNER = "olga"
LEVELS = {"rita": 1, "edgar": 2, "mona": 3}


@asynccontextmanager
async def owners_runner(process: Process, app: Gate) -> AsyncIterator[FakeRunner]:
    """Dialled in with a token of its own."""
    await process.pool.run(
        lambda: (make_person(OWNER), make_runner("secret", owner=OWNER, online=False)),
    )
    async with FakeRunner(app, token="secret") as runner:
        yield runner


async def shared_session(process: Process, runner: FakeRunner) -> Session:
    """The session, and what `LEVELS` gives the others."""

    def make() -> Session:
        session = make_session(owner=OWNER, runner_id=runner.runner_id)
        for name, level in LEVELS.items():
            Grant.objects.create(session=session, user_id=name, level=level)
        return session

    return await process.pool.run(make)


async def headers_of(process: Process, name: str, *scopes: str) -> dict[str, str]:
    """The credentials of a person, who has an account from now on."""

    def make() -> str:
        person = User.objects.filter(username=name).first() or make_person(name)
        return token_for(person, *scopes)

    return bearer(await process.pool.run(make))
