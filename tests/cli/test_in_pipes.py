"""The program in pipes, against real processes: scripts see plain text and exit codes."""

import json
import signal
import stat
import subprocess
from pathlib import Path

import pytest

from omnigent_client.version import VERSION
from tests.cli.commands import Shell
from tests.e2e.api import texts
from tests.e2e.program import wait_for
from tests.e2e.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


def test_send_prints_the_answer_and_nothing_else(shell: Shell) -> None:
    assert shell.good("send", shell.new(), "Count to 3").strip() == "1 2 3"


def test_send_reads_standard_input(shell: Shell, live_stack: Stack) -> None:
    session_id = shell.new()

    assert shell.good("send", session_id, "-", stdin="Count to 2\n").strip() == "1 2"

    assert texts(live_stack.api.items(session_id), "user") == ["Count to 2\n"]


def test_send_does_not_wait_when_told_so(shell: Shell, live_stack: Stack) -> None:
    session_id = shell.new()

    assert shell.good("send", session_id, "Count to 1000 slowly", "--no-wait") == ""

    live_stack.api.wait_status(session_id, "running", seconds=30)
    assert shell.good("interrupt", session_id) == ""
    live_stack.api.wait_status(session_id, "idle", seconds=30)


def test_the_first_message_of_a_detached_session_is_sent(shell: Shell, live_stack: Stack) -> None:
    session_id = shell.new("Count to 4")

    live_stack.api.wait_status(session_id, "idle", seconds=30)
    wait_for(lambda: texts(live_stack.api.items(session_id), "assistant"), seconds=30, what="an answer")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("send", "SESSION", "Fail with no more ink"), 4, "no more ink"),
        (("send", "SESSION", "Count to 1000 slowly", "--within", "1"), 1, "did not end within"),
        (("send", "SESSION", "  "), 2, "nothing to say"),
        (("show", "conv_00000000000000000000000000000000"), 3, "not found"),
        (("show", "../../v1/agents"), 3, "not an id"),
        (("new", "no-such-agent", "--detach"), 3, "no agent 'no-such-agent'"),
        (("new", "scripted", "--host", "nowhere", "--detach"), 3, "no host 'nowhere'"),
        (("--server", "ftp://example.org", "sessions"), 2, "not an address"),
        (("--server", "http://127.0.0.1:9", "send", "conv_" + "0" * 32, "Hello"), 1, "no answer"),
        (("import", "no-such-file"), 1, "cannot read no-such-file"),
        (("send", "SESSION"), 2, "required: TEXT"),
        (("sing",), 2, "invalid choice"),
        (("sessions", "--limit", "0"), 2, "from 1 on"),
        (("send", "SESSION", "Hello", "--within", "nan"), 2, "number of seconds"),
    ],
)
def test_expected_errors_are_a_line_and_an_exit_code(
    shell: Shell, arguments: tuple[str, ...], code: int, words: str
) -> None:
    session_id = shell.new() if "SESSION" in arguments else ""

    done = shell.run(*(session_id if one == "SESSION" else one for one in arguments))

    assert done.code == code, done
    assert words in done.err
    assert "Traceback" not in done.err
    assert done.err.splitlines()[-1].startswith("omnigent")


def test_an_interrupt_ends_send_with_its_own_code(shell: Shell, live_stack: Stack) -> None:
    session_id = shell.new()
    with shell.start("send", session_id, "Count to 1000 slowly") as process:
        live_stack.api.wait_status(session_id, "running", seconds=30)

        process.send_signal(signal.SIGINT)

        out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Interrupting" in err and "Traceback" not in err
    assert out == "" or out.startswith("1 ")
    assert live_stack.api.snapshot(session_id)["status"] == "idle"


def test_ids_are_accepted_as_unique_prefixes(shell: Shell) -> None:
    first, second = shell.new("--title", "One"), shell.new("--title", "Two")

    assert "title     One" in shell.good("show", first[5:20])
    assert "title     Two" in shell.good("show", second[:20])
    done = shell.run("show", "conv_")
    assert done.code == 2 and "could be" in done.err


def test_sessions_are_listed_in_columns_that_scripts_can_cut(shell: Shell) -> None:
    session_id = shell.new("--title", "A tab\tand a\nnewline")

    lines = shell.good("sessions", "--search", "and a").splitlines()

    [fields] = [line.split("\t") for line in lines if line.startswith(session_id)]
    assert fields[1:3] + fields[4:] == ["idle", "scripted", "A tab and a newline"]
    rows = json.loads(shell.good("sessions", "--json", "--limit", "1"))
    assert [row["id"] for row in rows] == [session_id]
    assert shell.good("sessions", "--search", "no such words anywhere") == ""


def test_nothing_in_a_pipe_is_an_escape_sequence(shell: Shell) -> None:
    session_id = shell.new("--title", "evil\x1b[31m\x9b2J")
    command = r"Run the shell command: printf '\033[2J\033]0;pwned\007text\n'"

    shown = shell.good("send", session_id, command)
    shown += shell.good("show", session_id) + shell.good("sessions") + shell.good("sessions", "--json")

    assert "␛[2J␛]0;pwned␇text" in shown
    assert not {sign for sign in shown if ord(sign) < 0x20 and sign not in "\n\t"}
    assert not {sign for sign in shown if 0x7F <= ord(sign) < 0xA0}


def test_show_prints_the_whole_session(shell: Shell) -> None:
    session_id = shell.new("--title", "To be shown")
    shell.good("send", session_id, "Run the shell command: seq 1 100")

    shown = shell.good("show", session_id)
    whole = shell.good("show", session_id, "--full")
    record = json.loads(shell.good("show", session_id, "--json"))

    assert "> Run the shell command: seq 1 100" in shown
    assert '$ sys_os_shell {"command": "seq 1 100"}\n| 1\n| 2\n' in shown
    assert "lines)" in shown and "| 57\n" not in shown
    assert "| 57\n" in whole
    assert [item["type"] for item in record["items"]].count("function_call_output") == 1


def test_attach_in_a_pipe_looks_on(shell: Shell, live_stack: Stack) -> None:
    session_id = shell.new()
    shell.good("send", session_id, "Count to 2")
    with shell.start("attach", session_id) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "> Count to 2\n"
        live_stack.api.message(session_id, "Run the shell command: echo seen")

        lines = iter(process.stdout.readline, "| seen\n")

        assert '$ sys_os_shell {"command": "echo seen"}\n' in list(lines)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 130


def test_a_fork_is_a_session_of_its_own(shell: Shell, live_stack: Stack) -> None:
    session_id = shell.new("--title", "Original")
    shell.good("send", session_id, "Count to 2")

    fork = shell.good("fork", session_id, "--title", "Copy").strip()

    assert fork != session_id
    assert texts(live_stack.api.items(fork), "assistant") == texts(
        live_stack.api.items(session_id), "assistant"
    )
    assert live_stack.api.snapshot(fork)["title"] == "Copy"


def test_export_and_import_carry_a_session_over(shell: Shell, tmp_path: Path, live_stack: Stack) -> None:
    session_id = shell.new("--title", "Traveller")
    shell.good("send", session_id, "Count to 2")
    file = tmp_path / "session.archive"

    assert shell.good("export", session_id, "-o", str(file)) == ""
    again = shell.run("export", session_id, "-o", str(file))
    made = shell.run("import", str(file))

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (again.code, "--force" in again.err) == (1, True)
    assert made.code == 0, made
    copy = made.out.strip()
    assert copy != session_id
    assert texts(live_stack.api.items(copy), "user") == ["Count to 2"]
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".session")) == []


def test_markdown_goes_to_standard_output(shell: Shell) -> None:
    session_id = shell.new("--title", "For reading")
    shell.good("send", session_id, "Count to 2")

    shown = shell.good("export", session_id, "--markdown")

    assert "For reading" in shown and "Count to 2" in shown


def test_a_reader_that_has_enough_is_no_error_to_look_at(shell: Shell) -> None:
    session_id = shell.new()
    shell.good("send", session_id, "Run the shell command: seq 1 20000")
    with shell.start("show", session_id, "--full") as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        process.wait(30)
        err = process.stderr.read()
    assert err == ""


def test_output_that_finds_no_room_is_an_error_in_a_line(shell: Shell) -> None:
    shell.new()

    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            shell.command("sessions"),
            env=shell.environ,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )

    assert (done.returncode, done.stderr) == (1, "omnigent: [Errno 28] No space left on device\n")


def test_a_single_user_server_needs_no_login(shell: Shell) -> None:
    assert "needs no login" in shell.good("login")


def test_the_version_is_the_package_s(shell: Shell) -> None:
    assert shell.good("--version") == f"omnigent {VERSION}\n"


def test_the_module_says_so_when_its_libraries_are_missing(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "rich.py").write_text("raise ModuleNotFoundError('no rich', name='rich')\n")
    environ = {**shell.environ, "PYTHONPATH": f"{tmp_path}:{shell.environ['PYTHONPATH']}"}

    done = subprocess.run(
        shell.command("sessions"), env=environ, capture_output=True, text=True, check=False, timeout=60
    )

    assert done.returncode == 1
    assert done.stderr == "omnigent: rich is not installed; pip install 'omnigent-client[cli]'\n"
