"""How many statements the hot reads take, whatever the number of rows."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sessions_app.models import Session
from tests.factories import (
    ask,
    label,
    make_agent,
    make_child,
    make_host,
    make_runner,
    make_session,
    user_said,
)
from tests.statements import CONTROL


def statements(reader: Client, path: str) -> int:
    reader.get(path)
    with CaptureQueriesContext(connection) as captured:
        assert reader.get(path).status_code == 200
    return len([query for query in captured if not query["sql"].startswith(CONTROL)])


@pytest.fixture
def full(db: None) -> Session:
    """Thirty sessions with labels, questions, children and items; the last one is on a host with a runner."""
    agent = make_agent()
    host, runner = make_host(), make_runner()
    session = make_session(agent)
    for number in range(30):
        session = make_session(agent, host_id=host.public_id, runner_id=runner.public_id)
        label(session, env="prod", number=str(number))
        ask(make_child(session, "a:b", usage_by_model={"m": {"total_tokens": 1}}))
        ask(session)
    for number in range(120):
        user_said(session, str(number))
    return session


Path = Callable[[Session], str]


@pytest.mark.parametrize(
    ("path", "budget"),
    [
        pytest.param(lambda session: "/v1/sessions?limit=20", 4, id="list"),
        pytest.param(lambda session: "/v1/sessions?limit=1000&kind=any", 4, id="list everything"),
        pytest.param(lambda session: f"/v1/sessions?after={session.public_id}", 4, id="list after"),
        pytest.param(lambda session: f"/v1/sessions/{session.public_id}", 6, id="get"),
        pytest.param(lambda session: f"/v1/sessions/{session.public_id}/items", 3, id="items"),
        pytest.param(lambda session: f"/v1/sessions/{session.public_id}/child_sessions", 4, id="children"),
    ],
)
def test_reads_stay_within_their_budget(reader: Client, full: Session, path: Path, budget: int) -> None:
    assert statements(reader, path(full)) <= budget
