"""The program as a process of its own, in pipes."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bytecode import kept
from tests.e2e.program import ROOT

SECONDS = 60


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


class Shell:
    """One person at one machine: a home of their own and a server."""

    def __init__(self, url: str, home: Path) -> None:
        self.home = home
        self.environ = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(home),
            "LC_ALL": "C.UTF-8",
            "TERM": "xterm-256color",
            "OMNIGENT_SERVER": url,
            "PYTHONPATH": str(ROOT),
            **kept(),
        }

    def command(self, *arguments: str) -> list[str]:
        """What to execute."""
        return [sys.executable, "-m", "omnigent_client", *arguments]

    def start(self, *arguments: str, extra: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
        """A command that is still running; `extra` joins its environment."""
        return subprocess.Popen(
            self.command(*arguments),
            cwd=self.home,
            env={**self.environ, **(extra or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, stdin: str = "", **extra: str) -> Done:
        """A command from its start to its end."""
        with self.start(*arguments, extra=extra) as process:
            try:
                out, err = process.communicate(stdin, timeout=SECONDS)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                raise
        return Done(process.returncode, out, err)

    def good(self, *arguments: str, stdin: str = "") -> str:
        """What a command prints that must end well."""
        done = self.run(*arguments, stdin=stdin)
        assert (done.code, done.err) == (0, ""), done
        return done.out

    def new(self, *arguments: str) -> str:
        """The id of a new session with the scripted agent."""
        return self.good("new", "scripted", *arguments, "--detach").strip()
