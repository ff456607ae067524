"""The other way round: our host and the runner that it launches, on the released server."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

pytest.importorskip("agents", reason="requirements-harness-openai-agents.txt is not installed")

from tests.e2e.api import Api, of_type, texts
from tests.e2e.program import Program, processes_at_home, python, wait_for
from tests.e2e.stack import base_environ, is_healthy
from tests.interop.models import Models
from tests.interop.released import SECONDS, agent, archive, end, environ, keys, program
from tests.interop.test_turns import shell
from tests.services.processes import free_port, private_directory

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def api(models: Models) -> Iterator[Api]:
    """A client of the released server, at which our host is online."""
    with private_directory("released") as directory:
        home, port = directory / "released", free_port()
        server = Program(
            "released-server",
            [program("omnigent"), "server", "--port", str(port), "--no-open"],
            environ=environ(home),
            directory=directory,
            cwd=directory,
        )
        url = f"http://127.0.0.1:{port}"
        host = Program(
            "host",
            python("-m", "omnigent.host", "--server", url),
            environ=base_environ(directory, keys(models.url)),
            directory=directory,
        )
        server.start()
        try:
            wait_for(lambda: is_healthy(url), seconds=2 * SECONDS, what="the released server")
            host.start()
            with Api(url) as api:
                wait_for(lambda: hosts(api), seconds=SECONDS, what="our host online", every=0.1)
                yield api
        finally:
            if host.is_running:
                host.stop()
            if server.is_running:
                server.stop()
            end(processes_at_home(home))


def hosts(api: Api) -> list[str]:
    """The hosts that are online."""
    return [row["host_id"] for row in api.get("/v1/hosts")["hosts"] if row["status"] == "online"]


def create(api: Api, workspace: Path) -> str:
    """A session on our host."""
    metadata = {"host_id": hosts(api)[0], "workspace": str(workspace)}
    answer = api.http.post(
        "/v1/sessions",
        files={
            "metadata": (None, json.dumps(metadata), "application/json"),
            "bundle": ("agent.tar.gz", archive(agent()), "application/gzip"),
        },
    )
    assert answer.status_code == httpx.codes.CREATED, answer.text
    return str(answer.json()["session_id"])


def say(api: Api, session_id: str, text: str, *, turns: int) -> list[str]:
    """Send a message; what the assistant has said once it has said that many things."""
    api.message(session_id, text)
    wait_for(
        lambda: len(texts(api.items(session_id), "assistant")) >= turns,
        seconds=SECONDS,
        what="an answer",
        every=0.1,
    )
    api.wait_status(session_id, "idle", seconds=SECONDS)
    return texts(api.items(session_id), "assistant")


def test_our_runner_takes_a_plain_turn_and_one_with_a_tool(api: Api, models: Models, tmp_path: Path) -> None:
    session_id = create(api, tmp_path)

    assert say(api, session_id, "in plain words", turns=1) == ["You said: in plain words"]
    said = say(api, session_id, shell("echo from-the-tool | tee made.txt"), turns=2)

    items = api.items(session_id)
    [call] = of_type(items, "function_call")
    [output] = of_type(items, "function_call_output")
    assert (call["name"], call["call_id"]) == ("sys_os_shell", output["call_id"])
    assert "from-the-tool" in output["output"] and "from-the-tool" in said[-1]
    assert (tmp_path / "made.txt").read_text() == "from-the-tool\n"
    assert set(models.told("in plain words")) == {1}
