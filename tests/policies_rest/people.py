"""Callers of the policy routes: the one of a single-user server, and people with accounts."""

from collections.abc import Mapping
from typing import Any

from django.test import Client
from pytest_django import Settings

from omnigent.accounts.models import User
from omnigent.accounts.principal import Scope
from omnigent.accounts.services import tokens

HOST = "127.0.0.1:6767"
MAX_CALLS = "omnigent.policies.builtins.safety.max_tool_calls_per_session"
BLOCK_SKILLS = "omnigent.policies.builtins.safety.block_skills"
ASK = "omnigent.policies.ask_on_os_tools"
URL = "/v1/policies"
NEW: Mapping[str, Any] = {"name": "a", "type": "python", "handler": MAX_CALLS, "factory_params": {"limit": 3}}


def local() -> Client:
    """The person at this machine."""
    return Client(headers={"host": HOST})


def person(settings: Settings, name: str, **rights: bool) -> Client:
    """Somebody with an account, who shows a token that may do everything its owner may."""
    settings.OMNIGENT_AUTH_MODE = "accounts"
    user = User.objects.filter(username=name).first() or User.objects.create_user(username=name, **rights)
    scopes = [Scope.READ] if rights.get("is_auditor") else [Scope.READ, Scope.WRITE, Scope.ADMIN]
    secret = tokens.issue(user=user, name="test", scopes=scopes, lifetime=None).secret
    return Client(headers={"host": HOST, "authorization": f"Bearer {secret}"})


def admin(settings: Settings) -> Client:
    return person(settings, "ada", is_staff=True)


def member(settings: Settings) -> Client:
    return person(settings, "mia")


def auditor(settings: Settings) -> Client:
    return person(settings, "aude", is_auditor=True)


def nobody(settings: Settings) -> Client:
    settings.OMNIGENT_AUTH_MODE = "accounts"
    return local()


def send(client: Client, method: str, path: str, body: Any = None, **headers: str) -> Any:
    """A request with a JSON body."""
    ask = getattr(client, method.lower())
    return ask(path, body, content_type="application/json", headers=headers)
