"""Users, their tokens and logins, and clients that call from somewhere."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import httpx

from omnigent.accounts.models import User
from omnigent.accounts.principal import Scope
from omnigent.accounts.services import tokens

BASE = "http://127.0.0.1:6767"
ORIGIN = {"Origin": BASE}
PASSWORD = "a perfectly fine passphrase"
HERE = "127.0.0.1"
ELSEWHERE = "192.0.2.7"


def make_person(name: str = "olga", *, password: str = PASSWORD, **fields: Any) -> User:
    """Somebody with an account."""
    return User.objects.create_user(username=name, password=password, **fields)


def make_admin(name: str = "ada") -> User:
    return make_person(name, is_staff=True, is_superuser=True)


def token_for(person: User, *scopes: str, lifetime: timedelta | None = None) -> str:
    """The secret of a new token; `write` when no scope is named."""
    wanted: Iterable[Scope] = [Scope(scope) for scope in scopes or ("write",)]
    return tokens.issue(user=person, name="test", scopes=list(wanted), lifetime=lifetime).secret


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def client_at(app: Any, peer: str = HERE, **options: Any) -> httpx.AsyncClient:
    """A client that connects from an address."""
    transport = httpx.ASGITransport(app=app, client=(peer, 50000))
    return httpx.AsyncClient(transport=transport, base_url=BASE, timeout=30, **options)


async def log_in(http: httpx.AsyncClient, name: str = "olga", password: str = PASSWORD) -> httpx.Response:
    """Log in; the client keeps the cookies."""
    return await http.post("/v1/login", json={"username": name, "password": password})
