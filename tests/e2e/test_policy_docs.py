"""The commands of docs/policies.md, run in their order against a server, answer as they are documented to."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.api import Api
from tests.e2e.program import ROOT, wait_for
from tests.e2e.seed.modes import MODES
from tests.e2e.seed.people import administrator
from tests.e2e.seed.rules import evaluate, pending, shell
from tests.e2e.stack import Stack, running_stack
from tests.policy_document import commands, write_modules
from tests.services.processes import private_directory

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]
Json = dict[str, Any]
MODE = "accounts"
VARIABLES = {"default_policy": "POLICY", "kill_switch": "SWITCH"}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """An installation whose callers have accounts."""
    with private_directory("docs") as directory, running_stack(MODES[MODE], directory) as stack:
        yield stack


@pytest.fixture
def admin(stack: Stack) -> Iterator[Api]:
    """The administrator whom the examples are written for."""
    with administrator(MODE, stack.url) as api:
        yield api


class Reader:
    """Somebody who types the commands in, with the variables that the text asks for."""

    def __init__(self, stack: Stack, admin: Api, directory: Path) -> None:
        self._admin = admin
        self._directory = directory
        self._environ = dict(stack.servers[0].environ)
        self._environ["PATH"] = f"{Path(sys.executable).parent}:{self._environ['PATH']}"
        token = admin.http.headers["Authorization"].removeprefix("Bearer ")
        self.session_id = str(admin.create(host_id=None)["id"])
        self._environ |= {
            "OMNIGENT": stack.url,
            "TOKEN": token,
            "SESSION": self.session_id,
            "AGENT": admin.agent_id(),
        }

    def run(self, command: str) -> str:
        """What the command prints."""
        ran = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=ROOT if "manage.py" in command else self._directory,
            env=self._environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert ran.returncode == 0, f"{command}\n{ran.stdout}\n{ran.stderr}"
        return ran.stdout

    def remember(self, answer: Json) -> None:
        """Keep the id that the text gives a name."""
        variable = VARIABLES.get(str(answer.get("object")))
        if variable is not None:
            self._environ[variable] = answer["id"]

    def find_question(self) -> None:
        """Look for the question that waits."""
        found = wait_for(
            lambda: pending(self._admin, self.session_id), seconds=20, what="a question", every=0.1
        )
        self._environ["ELICITATION"] = found[0]["elicitation_id"]


def assert_documented(answer: Json, documented: str, command: str) -> None:
    """Every member that is shown is answered so; an answer may have more."""
    shown = json.loads(documented)
    assert {name: answer.get(name) for name in shown} == shown, command


def test_the_commands_answer_as_documented(stack: Stack, admin: Api, tmp_path: Path) -> None:
    reader = Reader(stack, admin, tmp_path)
    with ThreadPoolExecutor(1) as threads:
        asked = None
        for command, documented in commands():
            if "$ELICITATION" in command and asked is None:
                asked = threads.submit(evaluate, admin, reader.session_id, shell("ls"))
                reader.find_question()
            printed = reader.run(command)
            answer = json.loads(printed) if printed.startswith("{") else {}
            if documented is not None:
                assert_documented(answer, documented, command)
            reader.remember(answer)
        assert asked is not None
        assert asked.result(20)["result"] == "POLICY_ACTION_ALLOW"


def test_the_export_checks_out_until_somebody_edits_it(
    stack: Stack, admin: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = str(admin.create(host_id=None)["id"])
    body = {"name": "ask me", "type": "python", "handler": "omnigent.policies.ask_on_os_tools"}
    admin.http.post(f"/v1/sessions/{session_id}/policies", json=body)
    for text in ("one", "two", "three"):
        evaluate(admin, session_id, {"type": "PHASE_REQUEST", "data": {"text": text}})
    write_modules(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    first_fault = import_module("check_export").first_fault

    export = admin.http.get("/v1/policy-decisions", params={"format": "ndjson"})
    lines = export.text.splitlines()

    assert len(lines) >= 3
    assert first_fault(lines) is None
    assert first_fault([lines[0].replace("ada@", "eve@"), *lines[1:]]) == "line 1 was edited"
    assert first_fault([lines[0], *lines[2:]]) == "a line is missing before line 2"
