"""The program in a real terminal, against real processes."""

import pytest

from tests.cli.commands import Shell
from tests.cli.terminal import Terminals
from tests.e2e.api import of_type, texts
from tests.e2e.stack import Stack

pytestmark = [pytest.mark.terminal, pytest.mark.timeout(120)]


def only_session(stack: Stack, title: str) -> str:
    """The id of the session with a title."""
    [row] = [row for row in stack.api.get("/v1/sessions", limit=1000)["data"] if row["title"] == title]
    return str(row["id"])


def test_new_attaches_and_streams_the_answer(terminals: Terminals, live_stack: Stack) -> None:
    terminal = terminals.open("new", "scripted", "Count to 40 slowly", "--title", "Streaming")

    seen = terminal.wait("> Count to 40 slowly", "1 2 3 4 5")

    assert "39 40" not in seen
    assert " running · scripted · " in seen and " · Streaming" in seen
    terminal.wait("38 39 40", " idle · ")
    terminal.press("C-d")
    terminal.wait("EXIT=0")
    assert texts(live_stack.api.items(only_session(live_stack, "Streaming")), "user") == [
        "Count to 40 slowly"
    ]


def test_attach_shows_history_and_tool_cards(terminals: Terminals, shell: Shell) -> None:
    session_id = shell.new()
    shell.good("send", session_id, "Run the shell command: echo from the card")

    terminal = terminals.open("attach", session_id[5:])

    seen = terminal.wait("The tool answered:", "Ctrl-D leaves")
    assert "─ sys_os_shell ─" in seen
    assert "│ command: echo from the card" in seen
    assert "│ from the card" in seen


def test_a_line_typed_into_a_running_turn_steers_it(
    terminals: Terminals, shell: Shell, live_stack: Stack
) -> None:
    session_id = shell.new()
    terminal = terminals.open("attach", session_id)
    terminal.wait("Ctrl-D leaves")

    terminal.type("Run the shell command: sleep 4")
    terminal.wait("… sys_os_shell command: sleep 4")
    terminal.type("Run the shell command: echo steered")
    terminal.wait("│ steered", " idle · ")

    items = live_stack.api.items(session_id)
    assert texts(items, "user") == ["Run the shell command: sleep 4", "Run the shell command: echo steered"]
    assert len({item["response_id"] for item in items if item.get("role") == "assistant"}) == 1


def test_what_is_typed_stays_whole_while_output_streams(terminals: Terminals, shell: Shell) -> None:
    terminal = terminals.open("attach", shell.new())
    terminal.wait("Ctrl-D leaves")
    terminal.type("Count to 30 slowly")
    terminal.wait("1 2 3")

    terminal.press("a b c d".replace(" ", ""))

    terminal.wait("28 29 30", " idle · ")
    seen = terminal.wait("> abcd")
    assert seen.count("> abcd") == 1
    assert seen.count("Ctrl-D leaves") == 1, "nothing of earlier prompts is left"


@pytest.mark.parametrize(
    ("answer", "word", "output"),
    [("y", "accepted", ["allowed\n"]), ("n", "declined", []), ("c", "cancelled", None)],
)
def test_an_approval_is_answered_in_the_line(
    terminals: Terminals, shell: Shell, live_stack: Stack, answer: str, word: str, output: list[str] | None
) -> None:
    session_id = shell.new()
    terminal = terminals.open("attach", session_id)
    terminal.wait("Ctrl-D leaves")

    terminal.type("Ask me before running: echo allowed")
    terminal.wait("─ approval ─", "│ echo allowed", "Approve? y, n or c(ancel)")
    terminal.type(answer)
    terminal.wait(word, " idle · ")

    items = live_stack.api.items(session_id)
    assert texts(items, "user") == ["Ask me before running: echo allowed"]
    if output is not None:
        assert [item["output"] for item in of_type(items, "function_call_output")] == output
    assert "Approve?" not in terminal.text()


def test_ctrl_c_interrupts_and_a_second_one_leaves(
    terminals: Terminals, shell: Shell, live_stack: Stack
) -> None:
    session_id = shell.new()
    terminal = terminals.open("attach", session_id)
    terminal.wait("Ctrl-D leaves")
    terminal.type("Count to 600 slowly")
    terminal.wait("1 2 3 4")

    terminal.press("C-c")

    seen = terminal.wait("interrupting; Ctrl-C again leaves", "\ninterrupted", " idle · ")
    assert "EXIT" not in seen
    assert live_stack.api.snapshot(session_id)["status"] == "idle"
    terminal.press("C-c")
    terminal.wait("EXIT=130")


def test_attach_goes_on_by_itself_when_the_connection_breaks(
    terminals: Terminals, shell: Shell, live_stack: Stack
) -> None:
    terminal = terminals.open("attach", shell.new())
    terminal.wait("Ctrl-D leaves")
    terminal.type("Count to 30 slowly")
    terminal.wait("1 2 3")

    live_stack.clients.kill_connections()

    seen = terminal.wait("28 29 30", " idle · ")
    assert " ".join(str(number) for number in range(1, 31)) in " ".join(seen.split())


def test_escape_sequences_of_others_are_signs_and_do_nothing(terminals: Terminals, shell: Shell) -> None:
    session_id = shell.new("--title", "evil\x1b]2;pwned title\x07")
    terminal = terminals.open("attach", session_id)
    before = terminal.wait("Ctrl-D leaves") and terminal.title()

    terminal.type(r"Run the shell command: printf '\033]2;pwned\007\033[2Jafter\n'")
    seen = terminal.wait("␛]2;pwned␇␛[2Jafter", "The tool answered", " idle · ")

    assert "evil␛]2;pwned title␇" in seen
    assert terminal.title() == before
    assert "Run the shell command" in seen, "the screen was not erased"


def test_a_terminal_gets_a_table_and_no_colour_when_it_wants_none(terminals: Terminals, shell: Shell) -> None:
    session_id = shell.new("--title", "In a table")

    plain = terminals.open("sessions", environ="NO_COLOR=1")

    seen = plain.wait("EXIT=0", "In a table")
    assert session_id[:13] in seen and session_id not in seen
    assert seen.startswith("ID")
