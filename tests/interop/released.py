"""The released product's programs: their environment, their host beside ours, agents for their runner."""

import json
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

from omnigent.spec import bundle
from scripts import interop
from tests.bytecode import kept
from tests.e2e.api import of_type
from tests.e2e.program import Program, processes_at_home, wait_for
from tests.e2e.stack import READY_SECONDS, Stack

VERSION = "0.19.0"
SECONDS = 40.0
ENDED_SECONDS = 20
MODEL = "gpt-test"
KEY = "sk-of-nobody"
NO_SANDBOX = {"type": "caller_process", "sandbox": {"type": "none"}}


def environ(home: Path) -> dict[str, str]:
    """A clean environment with a home of its own, which talks to nobody but the server it is given."""
    settings = home / ".omnigent"
    settings.mkdir(parents=True)
    (settings / "config.yaml").write_text("telemetry: false\ntui: {theme: dark}\n")
    (home / "tmp").mkdir()
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "TMPDIR": str(home / "tmp"),
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm-256color",
        **kept(),
        "OMNIGENT_TELEMETRY": "0",
        "OMNIGENT_ANALYTICS": "0",
        "OMNIGENT_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "1",
        "OMNIGENT_NO_UPDATE_CHECK": "1",
        "OMNIGENT_DISABLE_KEYRING": "1",
    }


def keys(model_url: str) -> dict[str, str]:
    """What leads every harness to the scripted model server."""
    return {
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": f"{model_url}/v1",
        "ANTHROPIC_API_KEY": KEY,
        "ANTHROPIC_BASE_URL": model_url,
    }


def program(name: str) -> str:
    """The path of one of its programs."""
    return str(interop.setup().parent / name)


def agent(**extra: Any) -> dict[str, Any]:
    """An agent that the released runner samples by HTTP, with nothing of a vendor installed."""
    return {
        "spec_version": 1,
        "name": "interop",
        "prompt": "Be brief.",
        "executor": {"type": "omnigent", "model": MODEL, "config": {"harness": "openai-agents"}},
        "os_env": NO_SANDBOX,
        **extra,
    }


def archive(document: Mapping[str, Any], **files: Mapping[str, Any]) -> bytes:
    """An agent's bundle; the names of further documents are their paths with `__` for a slash."""
    written = {path.replace("__", "/") + ".yaml": json.dumps(body).encode() for path, body in files.items()}
    return bundle.pack({"config.yaml": json.dumps(document).encode(), **written})


@dataclass(frozen=True, kw_only=True)
class Desk:
    """The released host beside an installation of ours, and the model server that its runners ask."""

    stack: Stack
    host: Program
    home: Path
    model_url: str

    @property
    def host_id(self) -> str:
        """The id that it minted."""
        return str(next(row["host_id"] for row in self._rows() if row["version"] == VERSION))

    def is_online(self) -> bool:
        """Whether our server sees it."""
        return any(row["version"] == VERSION and row["status"] == "online" for row in self._rows())

    def wait_online(self) -> None:
        """Block until our server sees it."""
        wait_for(self.is_online, seconds=READY_SECONDS, what=f"the released host\n{self.host.log()}")

    def workspace(self) -> Path:
        """A new directory to work in."""
        path = self.stack.directory / f"work-{uuid.uuid4().hex[:8]}"
        path.mkdir()
        return path

    def session(
        self, archived: bytes | None = None, *, workspace: Path | None = None, **metadata: Any
    ) -> str:
        """A session with an agent of its own on the released host."""
        body = {"host_id": self.host_id, "workspace": str(workspace or self.workspace()), **metadata}
        answer = self.stack.api.http.post(
            "/v1/sessions",
            files={
                "metadata": (None, json.dumps(body), "application/json"),
                "bundle": ("agent.tar.gz", archived or archive(agent()), "application/gzip"),
            },
        )
        assert answer.status_code == httpx.codes.CREATED, answer.text
        return str(answer.json()["session_id"])

    def outputs(self, session_id: str) -> list[str]:
        """What tools have answered so far."""
        return [item["output"] for item in of_type(self.stack.api.items(session_id), "function_call_output")]

    def question(self, session_id: str) -> dict[str, Any]:
        """The one question that waits."""
        return wait_for(
            lambda: (self.stack.api.snapshot(session_id)["pending_elicitations"] or [None])[0],
            seconds=SECONDS,
            what="a question",
            every=0.1,
        )

    def resolve(self, session_id: str, asked: Mapping[str, Any], action: str, **fields: Any) -> None:
        """Answer a question."""
        path = f"/v1/sessions/{session_id}/elicitations/{asked['elicitation_id']}/resolve"
        reply = self.stack.api.http.post(path, json={"action": action, **fields})
        assert reply.status_code == httpx.codes.ACCEPTED, reply.text

    def logs(self) -> str:
        """What the host printed, and the ends of the logs that it and its runners keep."""
        kept_logs = sorted((self.home / ".omnigent" / "logs" / "runner").glob("*.log"))
        ends = [f"--- {path.name}\n{path.read_text(errors='replace')[-6000:]}" for path in kept_logs[-3:]]
        return "\n".join([self.host.log(), *ends])

    def runner_of(self, session_id: str) -> psutil.Process:
        """The living runner process that the host started last for a session."""
        started = re.findall(
            r"\(pid=(\d+)\)\s+log: \S+\s+session: (\S+)", self.host.log_path.read_text(errors="replace")
        )
        pids = [int(pid) for pid, of in started if of == session_id]
        assert pids, f"no runner of {session_id}\n{self.host.log()}"
        return psutil.Process(pids[-1])

    def _rows(self) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = self.stack.api.get("/v1/hosts")["hosts"]
        return rows


def end(processes: Iterable[psutil.Process]) -> None:
    """Kill what is left."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()


@contextmanager
def running_desk(stack: Stack, directory: Path, model_url: str) -> Iterator[Desk]:
    """Start the released host for an installation, and end it and all that it started."""
    home = directory / "released"
    settings = {**environ(home), **keys(model_url)}
    command = [program("omnigent"), "host", stack.tunnels.url, "--no-open", "--non-interactive"]
    host = Program("released-host", command, environ=settings, directory=directory, cwd=home)
    desk = Desk(stack=stack, host=host, home=home, model_url=model_url)
    host.start()
    try:
        desk.wait_online()
        yield desk
    finally:
        if host.is_running:
            host.stop(ENDED_SECONDS)
        end(processes_at_home(home))
