"""The released command line against our server: run, attach, and the commands around sessions and hosts."""

import json
import re
import shlex
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.programs import find
from tests.e2e.api import texts
from tests.e2e.program import NotInTime, wait_for
from tests.interop.models import Models
from tests.interop.released import SECONDS, Desk, agent, program

pytestmark = [pytest.mark.interop, pytest.mark.timeout(180)]

COMMAND_SECONDS = 90


def command(desk: Desk, *arguments: str, cwd: Path | None = None) -> str:
    """What a command prints that must end well."""
    done = subprocess.run(
        [program("omnigent"), *arguments],
        env=desk.host.environ,
        cwd=cwd or desk.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{arguments}: {done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def talked(desk: Desk, text: str) -> str:
    """A session in which something was said."""
    session_id = desk.session()
    desk.stack.api.message(session_id, text)
    wait_for(
        lambda: texts(desk.stack.api.items(session_id), "assistant"),
        seconds=SECONDS,
        what="an answer",
        every=0.1,
    )
    desk.stack.api.wait_status(session_id, "idle", seconds=SECONDS)
    return session_id


class Screen:
    """A released program in a terminal of its own."""

    def __init__(self, desk: Desk, *arguments: str) -> None:
        self._tmux = [find("tmux") or "tmux", "-S", str(desk.home / f"{uuid.uuid4().hex[:8]}.sock")]
        self._environ = desk.host.environ
        line = f"{shlex.join([program('omnigent'), *arguments])}; printf 'EXIT=%s\\n' $?; exec sleep 600"
        self._run("-f", "/dev/null", "new-session", "-d", "-s", "it", "-x", "110", "-y", "45", line)

    def wait(self, *wanted: str) -> str:
        """What the terminal shows, once it shows all of these."""
        try:
            wait_for(
                lambda: all(text in self.text() for text in wanted),
                seconds=COMMAND_SECONDS,
                what=str(wanted),
                every=0.2,
            )
        except NotInTime as error:
            raise NotInTime(f"{error}; the terminal shows:\n{self.text()}") from None
        return self.text()

    def text(self) -> str:
        """Everything on the screen and above it."""
        return self._run("capture-pane", "-p", "-J", "-S", "-", "-t", "it")

    def type(self, line: str) -> None:
        """A line and Enter."""
        self._run("send-keys", "-t", "it", "-l", line)
        self._run("send-keys", "-t", "it", "Enter")

    def close(self) -> None:
        """End the terminal and what runs in it."""
        self._run("kill-server")

    def _run(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self._tmux, *arguments], env=self._environ, capture_output=True, text=True, check=True
        )
        return done.stdout


@pytest.fixture
def attached(desk: Desk) -> Iterator[tuple[str, Screen]]:
    """A session that a person has attached to."""
    session_id = talked(desk, "said before")
    screen = Screen(desk, "attach", session_id, "--server", desk.stack.tunnels.url)
    try:
        yield session_id, screen
    finally:
        screen.close()


def test_run_makes_a_session_on_this_machine_and_prints_the_answer(desk: Desk, models: Models) -> None:
    directory = desk.workspace() / "agent"
    directory.mkdir()
    (directory / "config.yaml").write_text(json.dumps(agent(name="from-a-directory")))

    # The host that already runs for this address is used.
    printed = command(
        desk, "run", str(directory), "--server", desk.stack.tunnels.url, "-p", "said by run", cwd=directory
    )

    assert "You said: said by run" in printed
    [row] = [
        row
        for row in desk.stack.api.get("/v1/sessions", agent_name="from-a-directory")["data"]
        if row["agent_name"] == "from-a-directory"
    ]
    items = desk.stack.api.items(row["id"])
    assert (texts(items, "user"), texts(items, "assistant")) == (
        ["said by run"],
        ["You said: said by run"],
    )
    assert row["host_id"] == desk.host_id
    assert set(models.told("said by run")) == {1}


def test_attach_shows_a_session_and_talks_in_it(desk: Desk, attached: tuple[str, Screen]) -> None:
    session_id, screen = attached
    screen.wait("said before")

    screen.type("said by attach")
    screen.wait("You said: said by attach")

    assert texts(desk.stack.api.items(session_id), "user") == ["said before", "said by attach"]


def test_a_session_is_exported_and_imported(desk: Desk) -> None:
    session_id = talked(desk, "worth keeping")
    exported = desk.home / "exported.jsonl"

    url = desk.stack.tunnels.url
    command(desk, "session", "export", "--id", session_id, "--output", str(exported), "--server", url)
    printed = command(desk, "session", "import", "-i", str(exported), "--title", "Again", "--server", url)

    found = re.search(r"conv_[0-9a-f]{32}", printed.replace(session_id, ""))
    assert found is not None, printed
    assert desk.stack.api.snapshot(found.group())["title"] == "Again"
    items = desk.stack.api.items(found.group())
    assert (texts(items, "user"), texts(items, "assistant")) == (
        ["worth keeping"],
        ["You said: worth keeping"],
    )


def test_host_status_lists_the_sessions_of_this_machine(desk: Desk) -> None:
    session_id = talked(desk, "on this machine")

    told = json.loads(
        command(desk, "host", "status", "--json", "--sessions", "--server", desk.stack.tunnels.url)
    )

    [daemon] = told["daemons"]
    assert (daemon["host_id"], daemon["host_status"], daemon["error"]) == (desk.host_id, "online", None)
    [row] = [row for row in daemon["sessions"] if row["id"] == session_id]
    assert (row["status"], row["runner_online"], row["title"]) == ("idle", True, "on this machine")


def test_usage_is_shown_also_without_prices(desk: Desk) -> None:
    session_id = talked(desk, "at no known price")

    printed = command(desk, "usage", "--limit", "100", "--server", desk.stack.tunnels.url)

    assert "All time" in printed and "$0.00" in printed
    assert session_id in printed


def test_an_agent_is_kept_listed_and_removed(desk: Desk) -> None:
    directory = desk.workspace() / "kept"
    directory.mkdir()
    (directory / "config.yaml").write_text(json.dumps(agent(name="kept-by-me")))
    server = ("--server", desk.stack.tunnels.url)

    command(desk, "agent", "add", str(directory), *server)
    listed = command(desk, "agent", "list", *server)
    command(desk, "agent", "remove", "kept-by-me", *server)

    assert "kept-by-me" in listed
    assert "kept-by-me" not in command(desk, "agent", "list", *server)
