"""A supervisor on one vendor's engine with sub-agents on two: it finishes its task whatever is killed."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("claude_agent_sdk", reason="requirements-harness-claude.txt is not installed")
pytest.importorskip("agents", reason="requirements-harness-openai-agents.txt is not installed")

from omnigent.runner.harnesses.codex.launch import INSTALL, PROGRAM
from omnigent.runner.harnesses.programs import located
from omnigent.spec import bundle
from tests.e2e import families
from tests.e2e.api import of_type, texts
from tests.e2e.program import Program, python, wait_for
from tests.e2e.stack import Flavour, Stack, base_environ, running_stack
from tests.e2e.test_examples import environ, run
from tests.services.processes import private_directory

pytestmark = [
    pytest.mark.engines,
    pytest.mark.skipif(located(PROGRAM, os.environ) is None, reason=f"needs Codex: {INSTALL}"),
    pytest.mark.timeout(300),
]
__all__ = ["environ"]
SECONDS = 120
AGENT = """\
spec_version: 1
name: {name}
prompt: You are {name}.
executor: {executor}
os_env: {{type: caller_process, sandbox: {{write_paths: ["."]}}}}
tools: {{agents: [{below}]}}
"""
CLAUDE, CODEX, AGENTS = "{type: claude_sdk}", "{config: {harness: codex}}", "{type: agents_sdk}"


@pytest.fixture
def stack() -> Iterator[Stack]:
    """An installation whose keys are good at a scripted model only."""
    with private_directory("model") as directory, private_directory("e2e") as home:
        os.chown(home, os.geteuid(), os.getegid())
        command = python("-m", "tests.model_server", "--port", "0", "--script", "sentences")
        model = Program("model", command, environ=base_environ(directory, {}), directory=directory)
        model.start()
        try:
            url = wait_for(
                lambda: next((line for line in model.log().splitlines() if line.startswith("http")), ""),
                seconds=30,
                what="the model server's address",
            )
            keys = {
                "ANTHROPIC_API_KEY": "sk-ant-test",
                "ANTHROPIC_BASE_URL": url,
                "OPENAI_API_KEY": "sk-test",
                "OPENAI_BASE_URL": f"{url}/v1",
            }
            flavour = Flavour(name="engines", server="daphne", replicas=1, environ=keys)
            with running_stack(flavour, Path(home)) as stack:
                yield stack
        finally:
            model.stop()


def supervisor(stack: Stack, executor: str) -> str:
    """A session of a supervisor on this engine, with `writer` on Claude's and `coder` on Codex."""
    places = {
        "config.yaml": ("supervisor", executor, "writer, coder"),
        "agents/writer/config.yaml": ("writer", CLAUDE, ""),
        "agents/coder/config.yaml": ("coder", CODEX, ""),
    }
    files = {
        path: AGENT.format(name=name, executor=runs_on, below=below).encode()
        for path, (name, runs_on, below) in places.items()
    }
    return families.opened(stack, bundle.pack(files))


def task(command: str) -> str:
    """Both sub-agents at once, each with its own file names."""
    return "\n".join(
        f"Ask the sub-agent {name}: Run the shell command: {command.format(name=name)}"
        for name in ("writer", "coder")
    )


def wait_done(stack: Stack, session_id: str) -> list[dict[str, Any]]:
    """What the supervisor's model was given, once that is a good end of both tasks and the session rests."""

    def found() -> list[dict[str, Any]] | None:
        given = families.results(stack, session_id)
        ended = {one["agent"] for one in given if one["status"] == "completed"}
        status = stack.api.snapshot(session_id, include_items="false")["status"]
        return given if ended == {"writer", "coder"} and status == "idle" else None

    given = wait_for(found, seconds=SECONDS, what="both tasks done", every=0.2)
    assert given is not None
    return given


def wait_files(stack: Stack, session_id: str, suffix: str) -> Path:
    """The workspace, once both sub-agents have made their file."""
    workspace = Path(stack.api.snapshot(session_id, include_items="false")["workspace"])
    wait_for(
        lambda: all((workspace / f"{name}.{suffix}").exists() for name in ("writer", "coder")),
        seconds=SECONDS,
        what="both at work",
    )
    return workspace


def assert_each_result_once(stack: Stack, session_id: str, given: list[dict[str, Any]]) -> None:
    """The model was given every end of a sub-agent once, and was told of it once."""
    ends = families.returns(stack, session_id)
    assert sorted(one["id"] for one in given) == sorted(end["id"] for end in ends)
    assert len(families.wakes(stack, session_id)) == len(ends)
    said = "\n".join(texts(stack.api.items(session_id), "assistant"))
    for name in ("writer", "coder"):
        [good] = [one for one in given if (one["agent"], one["status"]) == (name, "completed")]
        assert f"{name}-done" in good["result"]
        assert said.count(f"{name}-done") == 1


@pytest.mark.parametrize("executor", [CLAUDE, CODEX, AGENTS], ids=["claude", "codex", "openai-agents"])
def test_it_finishes_when_the_runner_is_killed_in_the_middle(stack: Stack, executor: str) -> None:
    session_id = supervisor(stack, executor)
    # Only a second attempt finds the file and comes to an end.
    stack.api.message(
        session_id, task("test -e {name}.tried || {{ touch {name}.tried; sleep 600; }}; echo {name}-done")
    )
    wait_files(stack, session_id, "tried")
    stack.api.wait_status(session_id, "waiting", seconds=SECONDS)
    [runner] = stack.runner_pids()

    os.kill(runner, signal.SIGKILL)
    given = wait_done(stack, session_id)

    lost = [one for one in given if one["status"] == "failed"]
    assert sorted(one["agent"] for one in lost) == ["coder", "writer"]
    assert len(given) == 4
    assert_each_result_once(stack, session_id, given)
    # The second attempt went on in the same conversations.
    assert len({one["conversation_id"] for one in given}) == 2
    sent = [
        item
        for item in of_type(stack.api.items(session_id), "function_call")
        if item["name"] == "sys_session_send"
    ]
    assert len(sent) == 4


def test_it_finishes_when_the_server_is_killed_in_the_middle(stack: Stack) -> None:
    session_id = supervisor(stack, CLAUDE)
    stack.api.message(
        session_id,
        task("touch {name}.begun; until test -e open; do sleep 0.1; done; echo {name}-done"),
    )
    workspace = wait_files(stack, session_id, "begun")
    stack.api.wait_status(session_id, "waiting", seconds=SECONDS)

    stack.servers[0].kill()
    (workspace / "open").touch()
    stack.start_server(0)
    given = wait_done(stack, session_id)

    assert {one["status"] for one in given} == {"completed"}
    assert_each_result_once(stack, session_id, given)


def test_it_finishes_when_first_the_runner_and_then_the_server_is_killed(stack: Stack) -> None:
    session_id = supervisor(stack, CLAUDE)
    command = (
        "test -e {name}.tried || {{ touch {name}.tried; sleep 600; }}; touch {name}.again; "
        "until test -e open; do sleep 0.1; done; echo {name}-done"
    )
    stack.api.message(session_id, task(command))
    workspace = wait_files(stack, session_id, "tried")
    stack.api.wait_status(session_id, "waiting", seconds=SECONDS)
    [runner] = stack.runner_pids()

    os.kill(runner, signal.SIGKILL)
    wait_files(stack, session_id, "again")
    stack.servers[0].kill()
    (workspace / "open").touch()
    stack.start_server(0)
    given = wait_done(stack, session_id)

    assert_each_result_once(stack, session_id, given)


def test_the_example_runs_by_its_one_command(environ: dict[str, str]) -> None:
    printed = run(environ, "supervisor")

    for name in ("scout", "builder", "reviewer"):
        assert f"{name}/Run the shell command: echo done completed: The tools answered:\ndone\n" in printed
