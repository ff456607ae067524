"""Who asks a server of the tests, in each way to know its callers."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.e2e.api import Api

PERSON = "ada@example.com"
PASSWORD = "correct horse battery staple"
WRITE = ("write",)
ADMIN = ("read", "write", "admin")


def behind_a_proxy(url: str, person: str = PERSON, scopes: tuple[str, ...] = WRITE) -> str:
    """A token of the person whom the trusted proxy names."""
    with httpx.Client(base_url=url, headers={"X-Forwarded-Email": person}) as client:
        return _token(client, scopes)


def with_a_password(url: str, person: str = PERSON, scopes: tuple[str, ...] = WRITE) -> str:
    """A token of somebody who has an account, at first the administrator who was made at the start."""
    with httpx.Client(base_url=url, headers={"Origin": url}) as client:
        entered = client.post("/v1/login", json={"username": person, "password": PASSWORD})
        assert entered.status_code == httpx.codes.OK, entered.text
        return _token(client, scopes)


def _token(client: httpx.Client, scopes: tuple[str, ...]) -> str:
    made = client.post("/v1/tokens", json={"name": "tests", "scopes": list(scopes)})
    assert made.status_code == httpx.codes.CREATED, made.text
    return str(made.json()["token"])


SIGN_IN = {"header": behind_a_proxy, "accounts": with_a_password}


@contextmanager
def administrator(mode: str, url: str) -> Iterator[Api]:
    """The first person, who may do what administrators may."""
    with Api(url) as api:
        if mode in SIGN_IN:
            _carry(api, SIGN_IN[mode](url, scopes=ADMIN))
        yield api


@contextmanager
def somebody_else(mode: str, url: str) -> Iterator[Api]:
    """A person without rights of their own."""
    name = f"bob-{uuid.uuid4().hex[:8]}@example.com"
    if mode == "accounts":
        _invite(url, name)
    with Api(url) as api:
        _carry(api, SIGN_IN[mode](url, person=name))
        yield api


def _invite(url: str, name: str) -> None:
    with administrator("accounts", url) as api:
        invited = api.http.post("/v1/invitations", json={})
        assert invited.status_code == httpx.codes.CREATED, invited.text
    secret = invited.json()["url"].rpartition("/")[2]
    account = {"token": secret, "username": name, "password": PASSWORD}
    accepted = httpx.post(f"{url}/v1/invitations/accept", json=account, headers={"Origin": url})
    assert accepted.status_code == httpx.codes.CREATED, accepted.text


def _carry(api: Api, token: str) -> None:
    api.http.headers["Authorization"] = f"Bearer {token}"
