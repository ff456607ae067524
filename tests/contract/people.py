"""A server with accounts: everybody whom the access table speaks of, and something of everything."""

import json
from collections.abc import Mapping
from typing import Any

from django.test import Client

from omnigent.accounts.bearers import runner_bearer
from omnigent.accounts.models import User
from omnigent.accounts.principal import Scope
from omnigent.accounts.services import tokens
from omnigent.api.asgi import Application
from omnigent.ids import runner_id_for
from omnigent.spec import bundle
from sessions_app.access_table import Who
from sessions_app.models import Grant, Session
from sessions_app.process import Process
from tests.contract.calling import Reply, request
from tests.factories import ask, make_bundled_agent, make_child, make_host, make_runner

ORIGIN = "http://127.0.0.1:6767"
PASSWORD = "a perfectly fine passphrase"
BINDING = "the binding token of the owner's runner"
NAMES: Mapping[Who, str] = {
    Who.STRANGER: "sven",
    Who.READER: "rita",
    Who.EDITOR: "edgar",
    Who.MANAGER: "mona",
    Who.OWNER: "olga",
    Who.ADMIN: "ada",
    Who.AUDITOR: "aude",
}
LEVELS = {Who.READER: 1, Who.EDITOR: 2, Who.MANAGER: 3}
SECRETS = (
    *("Secret plan", "secret-notes.txt", "A secret remark", "Secret folder", "secret workstation"),
    *("secret policy", "secret instructions"),
)
"""What only those who may read the owner's things may ever be sent."""

CARE = {"type": "python", "handler": "omnigent.policies.ask_on_os_tools"}
SESSION_POLICY = "/v1/sessions/{session_id}/policies/{policy_id}"

Credentials = Mapping[Who, Mapping[str, str]]


def make_people() -> Credentials:
    """Accounts with a login each, and what a runner and a host of the owner show."""
    shown: dict[Who, Mapping[str, str]] = {Who.ANONYMOUS: {}}
    for who, name in NAMES.items():
        person = User.objects.create_user(
            username=name,
            password=PASSWORD,
            is_staff=who is Who.ADMIN,
            is_auditor=who is Who.AUDITOR,
        )
        shown[who] = login(person)
    runner = make_runner(BINDING, owner=NAMES[Who.OWNER])
    bearer = runner_bearer(runner_id=runner.public_id, owner=NAMES[Who.OWNER]).token
    shown[Who.RUNNER] = {"Authorization": f"Bearer {bearer}", "X-Omnigent-Runner-Tunnel-Token": BINDING}
    owner = User.objects.get(username=NAMES[Who.OWNER])
    minted = tokens.issue(user=owner, name="a host's", scopes=[Scope.HOST], lifetime=None)
    shown[Who.HOST] = {"Authorization": f"Bearer {minted.secret}"}
    return shown


def login(person: User) -> Mapping[str, str]:
    """A browser's headers after its login."""
    client = Client(headers={"host": "127.0.0.1:6767"})
    body = {"username": person.username, "password": PASSWORD}
    answer = client.post("/v1/login", body, content_type="application/json", headers={"origin": ORIGIN})
    assert answer.status_code == 200, answer.content
    cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
    return {"Cookie": cookie, "Origin": ORIGIN}


class Things:
    """Makes what addresses name, as the owner, over HTTP; each call makes new ones."""

    def __init__(self, app: Application, process: Process, credentials: Credentials) -> None:
        self.app = app
        self.process = process
        self.credentials = credentials
        self.agent_id = ""

    async def prepare(self) -> dict[str, str]:
        """What everybody shares: agent, host, runner and one of everything else."""
        agent = await self.process.pool.run(make_bundled_agent)
        self.agent_id = agent.public_id
        host_id = await self.process.pool.run(owners_host)
        runner_id = await self.process.pool.run(bound_runner)
        return {
            "agent_id": self.agent_id,
            "host_id": host_id,
            "runner_id": runner_id,
            "user_id": "nobody",
            **await self.make("/v1/policies/{policy_id}"),
            **await self.make(
                "{session_id}{comment_id}{file_id}{project_id}{elicitation_id}{session_policy_id}"
            ),
        }

    async def make(self, address: str) -> dict[str, str]:
        """New things for the names in an address."""
        session_id = await self._made("/v1/sessions", {"agent_id": self.agent_id, "title": SECRETS[0]})
        await self.process.pool.run(share, session_id)
        base = f"/v1/sessions/{session_id}"
        ids = {"session_id": session_id}
        if "{comment_id}" in address:
            place = {"path": "a.py", "start_index": 0, "end_index": 1, "body": SECRETS[2]}
            ids["comment_id"] = await self._made(f"{base}/comments", place)
        if "{file_id}" in address:
            ids["file_id"] = ids["resource_id"] = await self._uploaded(f"{base}/resources/files")
        if "{project_id}" in address:
            ids["project_id"] = await self._made("/v1/projects", {"name": f"{SECRETS[3]} of {session_id}"})
        if address == SESSION_POLICY or "{session_policy_id}" in address:
            ids["session_policy_id"] = await self._made(f"{base}/policies", {**CARE, "name": SECRETS[5]})
        elif "{policy_id}" in address:
            named = {**CARE, "name": f"care of {session_id}"}
            ids["policy_id"] = await self._made("/v1/policies", named, who=Who.ADMIN)
        if "/agents/{agent_id}" in address:
            ids["agent_id"] = await self._own_agent(session_id)
        if "{token_id}" in address:
            ids["token_id"] = await self.process.pool.run(owners_token)
        if "{invitation_id}" in address:
            ids["invitation_id"] = await self._made("/v1/invitations", {}, who=Who.ADMIN)
        return {**ids, **(await self._rows(address, session_id))}

    async def _rows(self, address: str, session_id: str) -> dict[str, str]:
        """Things that no request makes."""
        ids: dict[str, str] = {}
        if address.endswith("/files:copy"):
            ids |= {"session_id": await self.process.pool.run(child_of, session_id), "source_id": session_id}
        if address == "/v1/hosts/{host_id}":
            ids["host_id"] = await self.process.pool.run(owners_host)
        if "{elicitation_id}" in address:
            ids["elicitation_id"] = await self.process.pool.run(question, session_id)
        return ids

    async def _made(self, path: str, body: Mapping[str, Any], *, who: Who = Who.OWNER) -> str:
        headers = {**self.credentials[who], "Content-Type": "application/json"}
        return made(await request(self.app, "POST", path, headers=headers, body=json.dumps(body).encode()))

    async def _own_agent(self, session_id: str) -> str:
        """An agent that the owner keeps."""
        document = f"name: of-{session_id}\nprompt: {SECRETS[6]}\nexecutor:\n  harness: scripted\n"
        headers = {**self.credentials[Who.OWNER], "Content-Type": "multipart/form-data; boundary=cut"}
        body = agent_upload({"agent.yaml": document.encode()})
        return made(await request(self.app, "POST", "/v1/agents", headers=headers, body=body))

    async def _uploaded(self, path: str) -> str:
        headers = {**self.credentials[Who.OWNER], "Content-Type": "multipart/form-data; boundary=cut"}
        return made(await request(self.app, "POST", path, headers=headers, body=upload(SECRETS[1])))


def made(reply: Reply) -> str:
    assert reply.status in (200, 201), reply
    return str(json.loads(reply.content)["id"])


def upload(name: str) -> bytes:
    """A multipart body with one file."""
    head = f'--cut\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
    return f"{head}Content-Type: text/plain\r\n\r\nsome text\r\n--cut--\r\n".encode()


def agent_upload(files: Mapping[str, bytes]) -> bytes:
    """A multipart body with an agent's bundle."""
    head = b'--cut\r\nContent-Disposition: form-data; name="bundle"; filename="agent.tar.gz"\r\n\r\n'
    return head + bundle.pack(files) + b"\r\n--cut--\r\n"


def share(session_id: str) -> None:
    """Give the cast their levels, and bind the runner."""
    session = Session.objects.get(public_id=session_id)
    for who, level in LEVELS.items():
        Grant.objects.create(session=session, user_id=NAMES[who], level=level)
    Session.objects.filter(pk=session.pk).update(runner_id=bound_runner())


def child_of(session_id: str) -> str:
    """A sub-agent's session with the same runner."""
    parent = Session.objects.get(public_id=session_id)
    return str(make_child(parent, "helper:one", runner_id=bound_runner()).public_id)


def owners_token() -> str:
    """The id of an access token of the owner's."""
    owner = User.objects.get(username=NAMES[Who.OWNER])
    return str(tokens.issue(user=owner, name="old", scopes=[Scope.READ], lifetime=None).token.public_id)


def owners_host() -> str:
    """The id of a host of the owner's that is away."""
    return str(make_host(owner=NAMES[Who.OWNER], name=SECRETS[4], online=False).public_id)


def bound_runner() -> str:
    """The id of the owner's runner."""
    return runner_id_for(BINDING)


def question(session_id: str) -> str:
    """A question that waits in a session."""
    return str(ask(Session.objects.get(public_id=session_id)).public_id)
