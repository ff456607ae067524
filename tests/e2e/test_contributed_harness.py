"""A harness of another package, installed beside server, host and runner: offered, accepted, and run."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from omnigent.spec import bundle
from tests.e2e.api import texts
from tests.e2e.program import wait_for
from tests.e2e.stack import Flavour, Stack, running_stack
from tests.runner.contributed import install_example
from tests.services.processes import private_directory

AGENT = "name: loud\nprompt: Be loud.\nexecutor: {harness: shout}\n"


@pytest.fixture(scope="module")
def loud_stack(flavour: Flavour) -> Iterator[Stack]:
    """An installation with the documented example."""
    with private_directory("packages") as packages, private_directory("e2e") as directory:
        install_example(Path(packages))
        environ = {
            **flavour.environ,
            "PYTHONPATH": str(packages),
            "OMNIGENT_RUNNER_ENV_PASSTHROUGH": "PYTHONPATH",
        }
        with running_stack(dataclasses.replace(flavour, environ=environ), Path(directory)) as stack:
            yield stack


def upload(stack: Stack, document: str, **fields: Any) -> httpx.Response:
    """Open a session with an agent of its own."""
    archive = bundle.pack({"agent.yaml": document.encode()})
    files = {"bundle": ("agent.tar.gz", archive, "application/gzip")}
    return stack.api.http.post("/v1/sessions", files=files, data={"metadata": json.dumps(fields)})


def test_the_picker_offers_it_and_says_where_it_is_ready(loud_stack: Stack) -> None:
    def row() -> dict[str, Any] | None:
        rows = loud_stack.api.get("/v1/harnesses")["data"]
        found: dict[str, Any] | None = next((row for row in rows if row["id"] == "echo-upper"), None)
        return found

    shown = wait_for(row, seconds=10, what="the harness in the list")

    assert shown["label"] == "Echo in capitals"
    assert shown["capabilities"]["integration_mode"] == "sdk-in-process"
    assert shown["setup_steps"] == ["Install the package omnigent-echo-upper."]
    assert list(shown["readiness"].values()) == ["ready"]


def test_an_agent_that_names_it_runs_on_it(loud_stack: Stack) -> None:
    answer = upload(loud_stack, AGENT, host_id="auto")
    assert answer.status_code == httpx.codes.CREATED, answer.text
    session = answer.json()
    stream = loud_stack.stream(session["id"])

    loud_stack.api.message(session["id"], "hello from a package")
    stream.wait_settled()

    assert texts(loud_stack.api.items(session["id"]), "assistant") == ["HELLO FROM A PACKAGE"]
    assert loud_stack.api.get(f"/v1/sessions/{session['id']}/agent")["harness"] == "shout"


def test_an_agent_that_names_no_harness_there_is_is_refused(loud_stack: Stack) -> None:
    answer = upload(loud_stack, AGENT.replace("shout", "whisper"))

    assert answer.status_code == httpx.codes.BAD_REQUEST
    assert "unknown harness 'whisper'" in answer.json()["error"]["message"]
