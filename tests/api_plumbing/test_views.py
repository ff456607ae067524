"""What a server says about itself, through Django's test client, and the headers of every answer."""

from typing import Any

import pytest
from django.test import Client

from omnigent.accounts.models import User

pytestmark = pytest.mark.urls("tests.api_plumbing.views")


@pytest.fixture
def client() -> Client:
    return Client(raise_request_exception=False)


def test_health_version_and_me(client: Client) -> None:
    assert client.get("/health").json() == {"status": "ok"}
    assert set(client.get("/api/version").json()) == {"version"}
    assert client.get("/v1/me").json() == {"user_id": "local", "is_admin": True}


@pytest.mark.django_db
def test_info_names_the_mode_and_the_version(client: Client) -> None:
    info = client.get("/v1/info").json()

    assert info["single_user"] is True
    assert info["accounts_enabled"] is False
    assert info["server_version"] == client.get("/api/version").json()["version"]


def test_identity_is_checked_without_the_gate_too(client: Client) -> None:
    assert client.get("/v1/me", headers={"x-forwarded-for": "10.0.0.1"}).status_code == 403
    assert client.get("/v1/me", headers={"host": "evil.example"}).status_code == 400
    assert client.get("/v1/me", headers={"origin": "https://evil.example"}).status_code == 403
    assert client.get("/v1/me", REMOTE_ADDR="10.0.0.1").status_code == 403


@pytest.mark.parametrize(
    ("path", "ancestors"),
    [
        ("/c/conv_1", "frame-ancestors 'self' vscode-webview: vscode-file:"),
        ("/hello", "frame-ancestors 'none'"),
        ("/v1/me", "frame-ancestors 'none'"),
        ("/v1/unknown", "frame-ancestors 'none'"),
        ("/v1/failing", "frame-ancestors 'none'"),
    ],
)
def test_every_answer_says_who_may_frame_it(client: Client, path: str, ancestors: str) -> None:
    response = client.get(path)

    assert response["Content-Security-Policy"].endswith(ancestors)
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "X-Frame-Options" not in response


def test_json_is_answered_whatever_the_client_accepts(client: Client) -> None:
    response = client.get("/v1/me", headers={"accept": "text/event-stream"})

    assert response.status_code == 200
    assert response["Content-Type"] == "application/json"


@pytest.mark.urls("omnigent.urls")
@pytest.mark.django_db
def test_the_local_user_is_the_administrator_of_the_admin(client: Client) -> None:
    response: Any = client.get("/admin/")

    assert response.status_code == 200
    assert User.objects.get().username == "local"


@pytest.mark.urls("omnigent.urls")
@pytest.mark.django_db
def test_a_runner_does_not_get_into_the_admin(client: Client) -> None:
    response = client.get("/admin/", headers={"x-omnigent-runner-tunnel-token": "t"})

    assert response.status_code == 302
    assert not User.objects.exists()
