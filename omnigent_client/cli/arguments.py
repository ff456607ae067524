"""The command line, by argparse: it costs nothing and ends wrong usage with the documented code."""

import argparse
from typing import Final

from omnigent_client.cli.exits import MEANINGS
from omnigent_client.version import VERSION

SESSION_HELP: Final = "the session's id, or the beginning of it"
TEXT_HELP: Final = "what to say; - reads it from standard input"
Commands = argparse._SubParsersAction  # the only name that argparse has for it


def build_parser() -> argparse.ArgumentParser:
    """Everything that can be typed."""
    parser = argparse.ArgumentParser(
        prog="omnigent",
        description="Sessions with AI agents, from a terminal.",
        epilog=f"{MEANINGS}. OMNIGENT_SERVER and OMNIGENT_TOKEN win over what login stored.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"omnigent {VERSION}")
    parser.add_argument("--server", metavar="URL", help="the server's address, for this command")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_identity(commands)
    _add_reading(commands)
    _add_making(commands)
    _add_talking(commands)
    _add_portable(commands)
    return parser


def _add_identity(commands: "Commands[argparse.ArgumentParser]") -> None:
    login = commands.add_parser("login", help="log in to the server, by a code that you enter in a browser")
    login.add_argument(
        "--token", action="store_true", help="read an access token from standard input instead"
    )
    commands.add_parser("logout", help="forget the token of the server")


def _add_reading(commands: "Commands[argparse.ArgumentParser]") -> None:
    sessions = commands.add_parser("sessions", help="list sessions, last changed first")
    sessions.add_argument(
        "--search", metavar="TEXT", help="that have this text in a title, message or tool call"
    )
    sessions.add_argument("--agent", metavar="NAME", help="of this agent")
    sessions.add_argument("--project", metavar="NAME", help="in this project; empty for none")
    sessions.add_argument("--pinned", action="store_true", help="that are pinned")
    sessions.add_argument("--visibility", choices=("all", "mine", "shared", "archived"), help="whose")
    sessions.add_argument("--kind", choices=("default", "sub_agent", "any"), help="sub-agents' sessions too")
    sessions.add_argument("--archived", action="store_true", help="archived ones too")
    sessions.add_argument("--limit", type=_count, default=20, metavar="N", help="at most so many (20)")
    sessions.add_argument("--json", action="store_true", help="one JSON array")
    show = commands.add_parser("show", help="print a session with its whole transcript")
    show.add_argument("session", metavar="ID", help=SESSION_HELP)
    show.add_argument("--full", action="store_true", help="do not shorten tool output")
    show.add_argument("--json", action="store_true", help="one JSON object, with every item")


def _add_making(commands: "Commands[argparse.ArgumentParser]") -> None:
    new = commands.add_parser("new", help="make a session and attach to it")
    new.add_argument("agent", metavar="AGENT", help="the agent's name or id")
    new.add_argument("text", metavar="TEXT", nargs="?", help=f"first message: {TEXT_HELP}")
    new.add_argument(
        "--host", default="auto", metavar="NAME", help="a host's name or id, auto (default) or none"
    )
    new.add_argument(
        "--workspace", metavar="PATH", help="where on the host to work; a new directory by default"
    )
    new.add_argument("--title", metavar="TEXT", help="the session's title")
    new.add_argument("--detach", action="store_true", help="print the id and leave, as in a pipe")
    fork = commands.add_parser("fork", help="copy a session's conversation into a new session of your own")
    fork.add_argument("session", metavar="ID", help=SESSION_HELP)
    fork.add_argument("--up-to", metavar="RESPONSE_ID", help="only up to and including this response")
    fork.add_argument("--agent", metavar="NAME", help="go on with another agent")
    fork.add_argument("--host", metavar="NAME", help="a host's name or id, or auto")
    fork.add_argument("--workspace", metavar="PATH", help="where on the host to work")
    fork.add_argument("--title", metavar="TEXT", help="the fork's title")


def _add_talking(commands: "Commands[argparse.ArgumentParser]") -> None:
    attach = commands.add_parser("attach", help="follow a session live and type into it")
    attach.add_argument("session", metavar="ID", help=SESSION_HELP)
    send = commands.add_parser("send", help="say something, wait for the answer and print it")
    send.add_argument("session", metavar="ID", help=SESSION_HELP)
    send.add_argument("text", metavar="TEXT", help=TEXT_HELP)
    send.add_argument("--no-wait", action="store_true", help="leave as soon as the server has the message")
    send.add_argument("--within", type=_seconds, metavar="SECONDS", help="wait no longer; the turn goes on")
    interrupt = commands.add_parser("interrupt", help="cancel a session's running turn")
    interrupt.add_argument("session", metavar="ID", help=SESSION_HELP)


def _add_portable(commands: "Commands[argparse.ArgumentParser]") -> None:
    export = commands.add_parser(
        "export", help="write a session to an archive, or its conversation as Markdown"
    )
    export.add_argument("session", metavar="ID", help=SESSION_HELP)
    export.add_argument(
        "-o", "--output", metavar="FILE", default="-", help="a new file; - is standard output"
    )
    export.add_argument("--markdown", action="store_true", help="the conversation for reading")
    export.add_argument("--force", action="store_true", help="replace the file")
    import_ = commands.add_parser("import", help="make a session from an archive")
    import_.add_argument("file", metavar="FILE", help="what export wrote; - reads standard input")


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number from 1 on")
    return int(text)


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError("must be a number of seconds above 0")
    return number
