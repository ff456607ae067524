"""Real terminals: panes of a private tmux server."""

import shlex
import subprocess
from pathlib import Path

from scripts.programs import find
from tests.cli.commands import Shell
from tests.e2e.program import NotInTime, wait_for

SECONDS = 30
COLUMNS, ROWS = 100, 40


class Terminal:
    """One pane; what it shows is what a person would see."""

    def __init__(self, server: "Terminals", name: str) -> None:
        self._server = server
        self._name = name

    def text(self) -> str:
        """Everything on the screen and above it."""
        return self._server.tmux("capture-pane", "-p", "-J", "-S", "-", "-t", self._name)

    def title(self) -> str:
        """What the terminal's title was set to."""
        return self._server.tmux("display-message", "-p", "-t", self._name, "#{pane_title}").strip()

    def wait(self, *texts: str, seconds: float = SECONDS) -> str:
        """The screen, once it shows all of these."""
        try:
            wait_for(
                lambda: all(text in self.text() for text in texts),
                seconds=seconds,
                what=str(texts),
                every=0.1,
            )
        except NotInTime as error:
            raise NotInTime(f"{error}; the terminal shows:\n{self.text()}") from None
        return self.text()

    def type(self, line: str) -> None:
        """A line and Enter."""
        self._server.tmux("send-keys", "-t", self._name, "-l", line)
        self.press("Enter")

    def press(self, key: str) -> None:
        """One key, by tmux's name."""
        self._server.tmux("send-keys", "-t", self._name, key)


class Terminals:
    """A tmux server on a socket of its own, without anybody's configuration."""

    def __init__(self, shell: Shell, directory: Path) -> None:
        self._shell = shell
        program = find("tmux")
        assert program is not None, "tmux is not installed: make deps-system"
        self._tmux = [program, "-S", str(directory / "socket"), "-f", "/dev/null"]
        self._count = 0

    def open(self, *arguments: str, environ: str = "") -> Terminal:
        """The program in a new terminal, whose last line will be `EXIT=<code>`."""
        self._count += 1
        name = f"pane{self._count}"
        command = shlex.join(self._shell.command(*arguments))
        script = f"{environ} {command}; printf 'EXIT=%s\\n' $?; exec sleep 600"
        self.tmux("new-session", "-d", "-s", name, "-x", str(COLUMNS), "-y", str(ROWS), script)
        return Terminal(self, name)

    def tmux(self, *arguments: str) -> str:
        """What one command of tmux prints."""
        done = subprocess.run(
            [*self._tmux, *arguments],
            env=self._shell.environ,
            cwd=self._shell.home,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"tmux {arguments}: {done.stderr}"
        return done.stdout

    def close(self) -> None:
        """End the server and every program in it."""
        if self._count:
            subprocess.run([*self._tmux, "kill-server"], capture_output=True, check=False)
