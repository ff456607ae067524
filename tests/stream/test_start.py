"""What a server does when it comes back to turns that were running without it."""

import time
from dataclasses import replace
from datetime import timedelta

from django.utils import timezone

from sessions_app.models import Lease, Session, Status, TunnelKind
from sessions_app.process import Process
from tests.factories import make_session
from tests.stream.servers import SHORT, running, until

GRACE = 0.6


def lost_session() -> int:
    """A running session whose runner was last heard of long ago."""
    long_ago = timezone.now() - timedelta(hours=1)
    Lease.objects.create(
        kind=TunnelKind.RUNNER,
        name="runner_1",
        holder="another",
        address="http://127.0.0.1:9",
        renewed_at=long_ago,
        expires_at=long_ago,
    )
    return int(make_session(status=Status.RUNNING, runner_id="runner_1").pk)


async def status_of(process: Process, session_pk: int) -> str:
    return str((await process.pool.run(Session.objects.get, pk=session_pk)).status)


async def test_runners_have_a_while_to_come_back_after_a_start(transactional_db: None) -> None:
    async with running() as before:
        session_pk = await before.pool.run(lost_session)
    started = time.monotonic()

    async with running(durations=replace(SHORT, reconcile=0.05, grace=GRACE)) as process:

        async def is_failed() -> bool:
            return await status_of(process, session_pk) == Status.FAILED

        await until(is_failed)

    assert time.monotonic() - started >= GRACE
