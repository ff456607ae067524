"""POST /v1/hosts/{id}/runners under an idempotency key: also where the server dies before it answers."""

import pytest
from django.utils import timezone

from omnigent.protocol import host_frames
from sessions_app.models import Receipt
from sessions_app.services.receipts import hold_term
from tests.error_shape import assert_error
from tests.fleet.launching import REFUSED, launch
from tests.inputs.fake_host import FakeHost as LaunchingHost
from tests.inputs.rig import Rig
from tests.inputs.waiting import eventually, until
from tests.sessions.fake_host import FakeHost, failing


async def test_a_retry_launches_once(rig: Rig, host: FakeHost) -> None:
    session_id = await rig.session()

    first, again = await launch(rig, session_id, key="k"), await launch(rig, session_id, key="k")

    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert len(host.asked_for(host_frames.LaunchRunner)) == 1


async def test_a_bad_launch_may_be_tried_again(rig: Rig, host: FakeHost) -> None:
    session_id = await rig.session()
    good = host.handlers[host_frames.LaunchRunner]
    host.handlers[host_frames.LaunchRunner] = failing(REFUSED, "busy")

    assert_error(await launch(rig, session_id, key="k"), 502, "internal_error")
    host.handlers[host_frames.LaunchRunner] = good

    assert (await launch(rig, session_id, key="k")).status_code == 200


async def die_before_the_answer(rig: Rig) -> None:
    """Leave the receipts as they are when a server dies then, and let the time pass that a retry waits."""
    long_ago = timezone.now() - hold_term()
    await rig.run(lambda: Receipt.objects.update(status=None, answer="", created_at=long_ago))


@pytest.mark.parametrize("has_dialled_in", [True, False])
async def test_a_runner_that_was_launched_is_the_answer_of_a_retry(
    rig: Rig, launcher: LaunchingHost, has_dialled_in: bool
) -> None:
    session_id = await rig.session()
    launcher.starts_runners = has_dialled_in
    first = await launch(rig, session_id, key="k")
    runner_id = first.json()["runner_id"]
    launcher.alive.add(runner_id)
    if has_dialled_in:
        await eventually(lambda: rig.is_online(runner_id), "the runner is online")
    await die_before_the_answer(rig)

    again = await launch(rig, session_id, key="k")

    assert (again.status_code, again.json()) == (200, first.json())
    assert len(launcher.launches) == 1
    assert_error(await launch(rig, session_id, key="another"), 400, "invalid_input")


async def test_a_runner_of_which_the_host_was_not_told_is_replaced_by_a_retry(
    rig: Rig, launcher: LaunchingHost
) -> None:
    session_id = await rig.session()
    launcher.starts_runners = False
    lost = (await launch(rig, session_id, key="k")).json()["runner_id"]
    await die_before_the_answer(rig)
    launcher.starts_runners = True

    answer = await launch(rig, session_id, key="k")

    runner_id = answer.json()["runner_id"]
    assert (answer.status_code, answer.json()["status"]) == (200, "launching")
    assert runner_id == (await rig.row(session_id)).runner_id != lost
    await until(lambda: launcher.stopped == [lost], "the lost one is stopped, should it be there after all")
    item_id = await rig.say(session_id, "hi")
    await rig.delivered(session_id)
    assert launcher.runner.messages == [item_id]
    assert len(launcher.launches) == 2
