"""People of a server with many users, and their requests to the views behind the door."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from django.db import transaction
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import resolve

from omnigent.accounts.identity import Principal
from sessions_app.models import Grant, Session
from tests.factories import make_session

PEOPLE = ("stranger", "reader", "editor", "manager", "owner", "admin")
LEVELS = {"reader": 1, "editor": 2, "manager": 3}
RUNNER_ID = "runner_1"


@dataclass(frozen=True)
class Caller:
    """Somebody whom the door has let in; speaks to a view as it would after the door."""

    principal: Principal

    def request(
        self, method: str, path: str, body: Any = None, *, raw: bytes | None = None, key: str = ""
    ) -> "Answered":
        """Send a request, a JSON body with it unless `raw` is given."""
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        headers = {"Idempotency-Key": key} if key else {}
        request = RequestFactory().generic(
            method, path, content, content_type="application/json", headers=headers
        )
        request.principal = self.principal  # type: ignore[attr-defined]  # what the middleware sets
        view = resolve(unquote(urlsplit(path).path))
        with transaction.atomic():
            return Answered(view.func(request, *view.args, **view.kwargs))


class Answered:
    """An answer of a view, rendered."""

    def __init__(self, response: HttpResponse) -> None:
        if hasattr(response, "render"):
            response.render()
        self.status_code = response.status_code
        self.content = response.content

    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.content)


def caller(name: str) -> Caller:
    """One of the cast, or anybody else by their name; `runner` is the session's runner."""
    if name in ("runner", "other runner"):
        runner_id = RUNNER_ID if name == "runner" else "runner_2"
        return Caller(Principal(user_id="owner", is_admin=False, kind="runner", runner_id=runner_id))
    return Caller(Principal(user_id=name, is_admin=name == "admin"))


def shared_session(**fields: Any) -> Session:
    """A session of `owner` with a reader, an editor, a manager and a bound runner."""
    session = make_session(owner="owner", runner_id=RUNNER_ID, **fields)
    for name, level in LEVELS.items():
        Grant.objects.create(session=session, user_id=name, level=level)
    return session


def url(session: Session, *parts: str) -> str:
    """An address below a session."""
    return "/".join([f"/v1/sessions/{session.public_id}", *(quote(part, safe="/?=&") for part in parts)])
