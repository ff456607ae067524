"""A running server with a host in each way to know its callers; these tests are its first person."""

import os
import subprocess
import uuid
from collections.abc import Iterator

import httpx
import pytest

from tests.e2e.api import Api
from tests.e2e.stack import Flavour, Stack, running_stack
from tests.services.processes import private_directory

PERSON = "ada@example.com"
PASSWORD = "correct horse battery staple"
EVERYTHING = {"name": "tests", "scopes": ["write"]}


def behind_a_proxy(url: str) -> str:
    """A token of the person whom the trusted proxy names."""
    headers = {"X-Forwarded-Email": PERSON}
    made = httpx.post(f"{url}/v1/tokens", json=EVERYTHING, headers=headers)
    assert made.status_code == httpx.codes.CREATED, made.text
    return str(made.json()["token"])


def with_a_password(url: str) -> str:
    """A token of the administrator who was made at the start."""
    with httpx.Client(base_url=url, headers={"Origin": url}) as client:
        entered = client.post("/v1/login", json={"username": PERSON, "password": PASSWORD})
        assert entered.status_code == httpx.codes.OK, entered.text
        made = client.post("/v1/tokens", json=EVERYTHING)
        assert made.status_code == httpx.codes.CREATED, made.text
        return str(made.json()["token"])


MODES = {
    "single-user": Flavour(name="single-user", server="daphne", replicas=1),
    "header": Flavour(
        name="header",
        server="daphne",
        replicas=1,
        environ={"OMNIGENT_AUTH_MODE": "header", "OMNIGENT_TRUSTED_PROXIES": "127.0.0.1"},
        sign_in=behind_a_proxy,
    ),
    "accounts": Flavour(
        name="accounts",
        server="daphne",
        replicas=1,
        environ={
            "OMNIGENT_AUTH_MODE": "accounts",
            "OMNIGENT_ACCOUNTS_INIT_ADMIN_USERNAME": PERSON,
            "OMNIGENT_ACCOUNTS_INIT_ADMIN_PASSWORD": PASSWORD,
        },
        sign_in=with_a_password,
    ),
}


@pytest.fixture(scope="session", params=[pytest.param(mode, marks=pytest.mark.e2e) for mode in MODES])
def mode(request: pytest.FixtureRequest) -> str:
    """How the server knows who asks."""
    return str(request.param)


@pytest.fixture(scope="session")
def shared_stack(mode: str) -> Iterator[Stack]:
    """The installation of a mode; nobody breaks it."""
    with private_directory("seed") as directory:
        os.chown(directory, os.geteuid(), os.getegid())
        with running_stack(MODES[mode], directory) as stack:
            yield stack


@pytest.fixture
def api(stack: Stack) -> Api:
    """The caller's client."""
    return stack.api


@pytest.fixture
def workspace(stack: Stack) -> str:
    """A directory in the host's home."""
    path = stack.home / f"workspace-{uuid.uuid4().hex[:8]}"
    path.mkdir()
    return str(path.resolve())


@pytest.fixture
def repository(workspace: str) -> str:
    """A git repository with one commit."""
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    for command in (["init", "-q"], [*who, "commit", "-q", "--allow-empty", "-m", "Begin"]):
        subprocess.run(["git", *command], cwd=workspace, check=True)
    return workspace
