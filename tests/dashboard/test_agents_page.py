"""The agents page: what it lists, and the forms that upload and delete."""

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from agents_app.models import Agent
from sessions_app.models import Session
from tests.agents.registry import single
from tests.dashboard import factories as make

pytestmark = pytest.mark.django_db


def page(client: Client) -> str:
    response = client.get("/agents")
    assert response.status_code == 200
    return response.content.decode()


def row(shown: str, agent: Agent) -> str:
    found = re.search(rf'<li class="agent" id="agent-{agent.public_id}">.*?</li>', shown, re.S)
    assert found is not None
    return found[0]


def an_own_agent(name: str = "mine", **fields: object) -> Agent:
    return make.an_agent(name, is_builtin=False, is_reusable=True, created_by="local", **fields)


def upload(client: Client, content: bytes, **fields: str) -> tuple[int, str, str]:
    """Status, where the answer sends the browser, and what it shows."""
    bundle = SimpleUploadedFile("agent.tar.gz", content, content_type="application/gzip")
    answer = client.post("/agents", {"bundle": bundle, **fields})
    return answer.status_code, answer.headers.get("Location", ""), answer.content.decode()


def test_own_agents_and_the_operators_are_listed_with_version_and_harness(client: Client) -> None:
    own = an_own_agent(version=3, description="Paints fences", harness="codex")
    builtin = make.an_agent("helper")
    other = make.an_agent("theirs", is_builtin=False, is_reusable=True, created_by="somebody")

    shown = page(client)

    assert "version 3" in row(shown, own) and "Codex" in row(shown, own)
    assert "Paints fences" in row(shown, own)
    assert f'action="/agents/{own.public_id}/delete"' in row(shown, own)
    assert "version 1" in row(shown, builtin) and "Scripted demo" in row(shown, builtin)
    assert "/delete" not in row(shown, builtin)
    assert other.public_id not in shown


def test_an_agent_that_cannot_be_loaded_says_why_and_is_not_started(client: Client) -> None:
    broken = make.an_agent("torn", load_error="invalid agent spec: <prompt>: required")
    lost = make.an_agent("lost", digest="f" * 64)

    shown = page(client)

    assert "invalid agent spec: &lt;prompt&gt;: required" in row(shown, broken)
    assert "Its bundle is missing or damaged." in row(shown, lost)
    assert f"/new?agent={broken.public_id}" not in shown


def test_an_agent_that_no_host_can_run_says_what_to_do(client: Client) -> None:
    agent = make.an_agent("coder", harness="codex")
    make.a_host(harnesses={"codex": "needs-auth"})

    shown = row(page(client), agent)

    assert "Needs a key on the host" in shown
    assert "Log in once with <code>codex login</code>" in shown


def test_a_host_that_has_not_told_yet_is_no_obstacle(client: Client) -> None:
    agent = make.an_agent("coder", harness="codex")
    host = make.a_host()
    host.configured_harnesses = None
    host.save()

    assert "tag--attention" not in row(page(client), agent)


def test_an_upload_is_kept_and_the_same_name_again_is_its_next_version(client: Client) -> None:
    first = upload(client, single(name="mine"))
    second = upload(client, single(name="mine", prompt="Help more."))

    agent = Agent.objects.get()
    assert first[:2] == second[:2] == (302, f"/agents#agent-{agent.public_id}")
    assert (agent.name, agent.version, agent.created_by) == ("mine", 2, "local")


def test_an_upload_from_the_form_of_a_new_session_goes_back_there(client: Client) -> None:
    status, location, _ = upload(client, single(), back="new")

    agent = Agent.objects.get()
    assert (status, location) == (302, f"/new?agent={agent.public_id}")
    shown = client.get(location).content.decode()
    assert re.search(rf'value="{agent.public_id}" required checked', shown)


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (single(executor={"harness": "nothing-like-it"}), 400, "invalid agent spec: "),
        (b"no archive", 400, "bundle"),
        (single(name="helper"), 409, "is an agent of this server"),
    ],
    ids=["a wrong spec", "no archive", "an operator's name"],
)
def test_a_refused_upload_says_why_in_the_words_of_the_api(
    client: Client, content: bytes, status: int, words: str
) -> None:
    make.an_agent("helper")

    answered, _, shown = upload(client, content)

    alert = re.search(r'id="upload-alert" role="alert">(.*?)</p>', shown, re.S)
    assert answered == status
    assert alert is not None and words in alert[1]
    assert Agent.objects.count() == 1


def test_a_form_without_a_file_asks_for_one(client: Client) -> None:
    answer = client.post("/agents", {})

    assert answer.status_code == 400
    assert "Choose the bundle of an agent first" in answer.content.decode()


def test_an_unused_agent_is_deleted_at_once(client: Client) -> None:
    agent = an_own_agent()

    answer = client.post(f"/agents/{agent.public_id}/delete", {"key": "k1"})

    assert (answer.status_code, answer.headers["Location"]) == (302, "/agents")
    assert not Agent.objects.exists()


def test_an_agent_in_use_is_deleted_only_when_that_is_confirmed(client: Client) -> None:
    agent = an_own_agent()
    session = make.a_session(agent)
    address = f"/agents/{agent.public_id}/delete"

    asked = client.post(address, {"key": "k1"})
    still_there = Agent.objects.present().exists()
    confirmed = client.post(address, {"key": "k2", "force": "true"})

    shown = asked.content.decode()
    assert asked.status_code == 409 and still_there
    assert "1 session is bound to mine" in shown and f'href="/c/{session.public_id}"' in shown
    assert confirmed.status_code == 302
    assert not Agent.objects.present().exists()
    assert "This agent was deleted." in client.get(f"/c/{session.public_id}").content.decode()


@pytest.mark.parametrize("is_builtin", [True, False], ids=["the operator's", "somebody else's"])
def test_only_own_agents_can_be_deleted(client: Client, is_builtin: bool) -> None:
    agent = make.an_agent("x", is_builtin=is_builtin, is_reusable=not is_builtin, created_by="somebody")

    assert client.post(f"/agents/{agent.public_id}/delete", {}).status_code == 404
    assert Agent.objects.exists()


def test_the_statements_do_not_grow_with_the_agents(
    client: Client, django_assert_num_queries: object
) -> None:
    make.a_host()
    for number in range(20):
        an_own_agent(f"own {number}", updated_at=timezone.now())
        make.an_agent(f"builtin {number}")

    with django_assert_num_queries(4):  # type: ignore[operator]  # hosts, leases, own and operator's agents
        page(client)
    assert Session.objects.count() == 0
