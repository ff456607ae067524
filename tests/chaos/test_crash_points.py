"""kill -9 of a server at every named point of every write: sent again with its key, it happened once."""

import uuid
from collections.abc import Callable

import httpx
import pytest

from tests.chaos.conftest import Chaos
from tests.chaos.fuse import Point
from tests.chaos.routes import ROUTES, Route, Scene
from tests.e2e.order import assert_same_as_items
from tests.e2e.program import wait_for
from tests.e2e.stream import Stream, assert_no_gap

pytestmark = pytest.mark.chaos
CASES = [
    pytest.param(route, point, id=f"{route.name} - {name}")
    for route in ROUTES
    for name, point in route.points.items()
]


@pytest.mark.parametrize(("route", "point"), CASES)
def test_a_write_survives_a_crash_exactly_once(chaos: Chaos, route: Route, point: Point) -> None:
    api = chaos.stack.api
    session_id = str(api.create()["id"])
    key = uuid.uuid4().hex
    stream = chaos.stack.stream(session_id, after=0)
    scene = route.prepare(api, session_id)

    chaos.arm(point)
    first = attempt(route, chaos, scene, key)
    chaos.wait_crash()
    chaos.restart()
    second = until_answered(lambda: route.send(api, scene, key))

    assert second.is_success, f"{second.status_code} {second.text}"
    if first is not None:
        assert (second.status_code, second.json()) == (first.status_code, first.json())
    route.check(api, scene)
    if api.http.get(f"/v1/sessions/{session_id}").is_success:
        assert_the_client_has_the_log(chaos, session_id, stream)
    stream.close()


def until_answered(send: Callable[[], httpx.Response]) -> httpx.Response:
    """The answer of a request that is repeated, as a client does that is told that it is still under way."""
    answers: list[httpx.Response] = []

    def settled() -> bool:
        answers.append(send())
        return answers[-1].status_code != httpx.codes.CONFLICT

    wait_for(settled, seconds=30, what="an answer that is not 409", every=0.5)
    return answers[-1]


def attempt(route: Route, chaos: Chaos, scene: Scene, key: str) -> httpx.Response | None:
    """The answer, when the server lived long enough to give one."""
    try:
        answer = route.send(chaos.stack.api, scene, key)
    except httpx.TransportError:
        return None
    return answer if answer.is_success else None


def assert_the_client_has_the_log(chaos: Chaos, session_id: str, stream: Stream) -> None:
    """What the reconnecting client received is what the log holds, and agrees with the items."""
    whole = chaos.stack.stream(session_id, after=0)
    head = chaos.stack.api.snapshot(session_id)["resume_after"]
    for reader in (stream, whole):
        reader.wait(lambda _, reader=reader: (reader.last_id or 0) >= head, seconds=20, what=f"event {head}")
    expected = [(frame.id, frame.data) for frame in whole.logged if frame.id <= head]
    received = [(frame.id, frame.data) for frame in stream.logged if frame.id <= head]
    assert received == expected
    if expected:
        assert_no_gap(whole.frames)
    assert_same_as_items(whole.frames, chaos.stack.api.items(session_id))
    whole.close()
