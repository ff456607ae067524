"""The commands of docs/agents.md, run in their order against a server, and the agent that they upload."""

import asyncio
import json
import subprocess
from importlib import import_module
from pathlib import Path

import pytest

from omnigent.spec import bundle
from tests.agent_document import AGENT, agent_files, of_kind, write
from tests.e2e import families
from tests.e2e.api import of_type
from tests.e2e.stack import Stack

pytestmark = pytest.mark.sandbox


def test_the_agent_of_the_text_is_uploaded_and_works(stack: Stack, tmp_path: Path) -> None:
    write(tmp_path)
    for command in of_kind("sh"):
        subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=tmp_path,
            env={**stack.servers[0].environ, "OMNIGENT": stack.url},
            check=True,
            timeout=60,
            stdout=subprocess.DEVNULL,
        )
    session_id = json.loads((tmp_path / "session.json").read_text())["id"]
    stream = stack.stream(session_id)

    stack.api.message(
        session_id,
        'Call add_todo with {"what": "Water the plants", "when": "today"}\n'
        "Run the shell command: cat todo.txt\n"
        'Call load_skill with {"name": "weekly"}',
    )
    stream.wait_settled()

    outputs = [item["output"] for item in of_type(stack.api.items(session_id), "function_call_output")]
    assert outputs[:2] == ["It is on the list for today.", "today: Water the plants\n"]
    assert "Sort `todo.txt`" in outputs[2]


def test_the_program_of_the_text_asks_it(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    ask = import_module("upload").ask

    answer = asyncio.run(ask(stack.url, str(tmp_path / AGENT), "Count to 3"))

    assert answer.strip() == "1 2 3"


def test_its_sub_agent_is_at_work_and_wakes_it(stack: Stack) -> None:
    session_id = families.opened(stack, bundle.pack(agent_files()))

    stack.api.message(session_id, "Ask the sub-agent checker: Count to 2")
    given = families.wait_results(stack, session_id, 1)

    assert [(one["agent"], one["status"], one["result"].strip()) for one in given] == [
        ("checker", "completed", "1 2")
    ]
