"""How many statements a read takes with identity included, whoever asks and whatever the number of rows."""

from collections.abc import Callable, Mapping

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from omnigent.accounts.models import AccessToken
from sessions_app.models import Grant, Session
from tests.accounts.people import PASSWORD, bearer, make_admin, make_person, token_for
from tests.factories import ask, label, make_agent, make_host, make_runner, make_session, user_said

CONTROL = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT", "ROLLBACK")
Path = Callable[[Session], str]


@pytest.fixture
def full(db: None) -> Session:
    """Thirty sessions of Olga with labels, questions, grants and items, on a host with a runner."""
    agent = make_agent()
    host, runner = make_host(owner="olga"), make_runner(owner="olga")
    session = make_session(agent, owner="olga")
    for number in range(30):
        session = make_session(agent, owner="olga", host_id=host.public_id, runner_id=runner.public_id)
        label(session, env="prod", number=str(number))
        ask(session)
        Grant.objects.create(session=session, user_id="rita", level=1)
    for number in range(120):
        user_said(session, str(number))
    return session


def client_of(who: str, settings: Settings) -> Client:
    """Somebody's client, by the way they are recognised."""
    headers: Mapping[str, str] = {"host": "127.0.0.1:6767"}
    settings.OMNIGENT_AUTH_MODE = "accounts"
    match who:
        case "header":
            settings.OMNIGENT_AUTH_MODE, settings.OMNIGENT_TRUSTED_PROXIES = "header", ("127.0.0.1",)
            return Client(headers={**headers, "x-forwarded-email": "olga"})
        case "cookie":
            make_person()
            client = Client(headers=headers)
            body = {"username": "olga", "password": PASSWORD}
            assert client.post("/v1/login", body, content_type="application/json").status_code == 200
            return client
        case "admin":
            return Client(headers={**headers, **bearer(token_for(make_admin(), "admin"))})
        case "auditor":
            auditor = make_person("aud", is_auditor=True)
            return Client(headers={**headers, **bearer(token_for(auditor, "read"))})
        case "reader":
            return Client(headers={**headers, **bearer(token_for(make_person("rita"), "read"))})
        case _:
            return Client(headers={**headers, **bearer(token_for(make_person(), "write"))})


@pytest.mark.parametrize("who", ["header", "cookie", "token", "reader", "auditor", "admin"])
@pytest.mark.parametrize(
    ("path", "budget"),
    [
        pytest.param(lambda session: "/v1/sessions?limit=20", 4, id="list"),
        pytest.param(lambda session: "/v1/sessions?limit=1000&kind=any", 4, id="list everything"),
        pytest.param(lambda session: f"/v1/sessions/{session.public_id}", 6, id="get"),
        pytest.param(lambda session: f"/v1/sessions/{session.public_id}/items", 3, id="items"),
        pytest.param(lambda session: "/v1/me", 1, id="me"),
    ],
)
def test_identity_fits_into_the_budgets(
    full: Session, settings: Settings, who: str, path: Path, budget: int
) -> None:
    client = client_of(who, settings)
    client.get(path(full))

    with CaptureQueriesContext(connection) as captured:
        assert client.get(path(full)).status_code == 200

    counted = [query["sql"] for query in captured if not query["sql"].startswith(CONTROL)]
    assert len(counted) <= budget, counted


def test_the_list_of_tokens_takes_as_many_statements_for_one_as_for_fifty(
    db: None, settings: Settings
) -> None:
    client = client_of("token", settings)
    counts = []
    for number in (1, 50):
        while AccessToken.objects.count() < number:
            token_for(AccessToken.objects.first().user)  # type: ignore[union-attr]  # there is one
        with CaptureQueriesContext(connection) as captured:
            assert len(client.get("/v1/tokens").json()["data"]) == number
        counts.append(len(captured))

    assert counts == [2, 2]
