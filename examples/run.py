"""Run an example agent: `python -m examples.run coding-helper ["message"]`; with `--list`, which there are.

Without the keys that an agent needs a scripted model answers, which is no model at all but a program: it does
what sentences like "Run the shell command: ls" say.
"""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from examples.run_server import NotReady, own_server
from examples.run_turn import run_turn
from omnigent.runner.harnesses.rows import HARNESSES
from omnigent.spec import bundle
from omnigent.spec.types import AgentSpec
from omnigent_client import Approval, OmnigentClient
from omnigent_client.errors import OmnigentError
from omnigent_client.resources.session_inputs import Action
from tests.model_server import ModelServer
from tests.model_server.sentences import follow

AGENTS: Final = Path(__file__).resolve().parent / "agents"
INTERRUPTED: Final = 130
_KEY: Final = "sk-scripted"


@dataclass(frozen=True, slots=True)
class Example:
    """An agent below `examples/agents`, and a message that suits it."""

    path: str
    message: str

    def bundle(self) -> bytes:
        """What is uploaded: the directory, or the one file."""
        root = AGENTS / self.path
        if root.is_file():
            return bundle.pack({root.name: root.read_bytes()})
        files = (
            path for path in sorted(root.rglob("*")) if path.is_file() and "__pycache__" not in path.parts
        )
        return bundle.pack({path.relative_to(root).as_posix(): path.read_bytes() for path in files})


EXAMPLES: Final[Mapping[str, Example]] = {
    "coding-helper": Example(
        "coding-helper",
        'Write print("hello from a file") to hello.py\n'
        "Run the shell command: python3 hello.py\n"
        'Call load_skill with {"name": "review-change"}',
    ),
    "supervisor": Example(
        "supervisor", "Ask sub-agents scout, builder and reviewer at once: Run the shell command: echo done"
    ),
    "mcp-user": Example(
        "mcp-user.yaml",
        'Call notes__add with {"text": "The bus leaves at 8:15"}\nCall notes__search with {"text": "bus"}',
    ),
    "governed": Example(
        "governed",
        "Run the shell command: git push --force origin main\nRun the shell command: echo allowed",
    ),
}


def needs(spec: AgentSpec) -> set[str]:
    """The harnesses of an agent and of all its sub-agents."""
    return {one.harness_id for one in (spec, *spec.below()) if one.harness_id is not None}


def lacking(harnesses: set[str], environment: Mapping[str, str]) -> list[str]:
    """What has to be done before a real model can answer."""
    return sorted({HARNESSES[name].missing(environment) for name in harnesses} - {""})


@asynccontextmanager
async def stage(spec: AgentSpec, options: argparse.Namespace) -> AsyncIterator[str]:
    """The address of a server that this example can run on."""
    harnesses = needs(spec)
    if options.url:
        yield options.url
        return
    missing = lacking(harnesses, os.environ)
    if not options.scripted and not missing:
        async with own_server(harnesses, {}, is_private=False) as url:
            yield url
        return
    why = "as asked" if options.scripted else "no key: " + " ".join(missing)
    sys.stdout.write(f"A scripted model answers ({why}).\n")
    async with AsyncExitStack() as stack:
        model = await stack.enter_async_context(ModelServer(respond=follow))
        variables = {
            "ANTHROPIC_API_KEY": _KEY,
            "ANTHROPIC_BASE_URL": model.url,
            "OPENAI_API_KEY": _KEY,
            "OPENAI_BASE_URL": f"{model.url}/v1",
        }
        yield await stack.enter_async_context(own_server(harnesses, variables, is_private=True))


async def run(options: argparse.Namespace) -> int:
    """Upload the agent, say the message, print the rest; the exit code."""
    example = EXAMPLES[options.agent]
    archive = example.bundle()
    async with stage(bundle.read(archive), options) as url, OmnigentClient(url, options.token) as client:
        session = await client.sessions.create(
            archive,
            host_id="auto",
            workspace=str(options.workspace.resolve()) if options.workspace else None,
            labels=labels_of(options.label),
        )
        sys.stdout.write(f"{session.agent_name} at {url}/c/{session.id}\n")
        status = await run_turn(
            client, session.id, options.message or example.message, Approver(options.approve)
        )
    return 0 if status == "idle" else 1


@dataclass(frozen=True, slots=True)
class Approver:
    """Answers what has to be approved: `yes`, `no`, or `ask` whoever sits at the terminal."""

    how: str

    async def __call__(self, approval: Approval) -> Action:
        sys.stdout.write(f"[approve?] {approval.message} {approval.content_preview or ''}\n")
        if self.how != "ask":
            return "accept" if self.how == "yes" else "decline"
        if not sys.stdin.isatty():
            sys.stdout.write("Nobody is there to be asked: declined.\n")
            return "decline"
        answer = await asyncio.to_thread(input, "y or n: ")
        return "accept" if answer.strip().lower() in {"y", "yes"} else "decline"


def labels_of(texts: Sequence[str]) -> dict[str, str]:
    """`KEY=VALUE` pairs."""
    pairs = (text.partition("=") for text in texts)
    return {key: value for key, _, value in pairs}


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.run", description=__doc__)
    parser.add_argument("agent", nargs="?", choices=sorted(EXAMPLES))
    parser.add_argument("message", nargs="?", default="", help="what to say; each example has a default")
    parser.add_argument("--list", action="store_true", help="name the examples and what they need")
    parser.add_argument("--scripted", action="store_true", help="a scripted model, also when there are keys")
    parser.add_argument("--url", default="", help="a running server, instead of one of its own")
    parser.add_argument("--token", default=None, help="an access token for it")
    parser.add_argument("--workspace", type=Path, help="where it works (default: a new directory)")
    parser.add_argument("--label", action="append", default=[], metavar="KEY=VALUE", help="of the session")
    parser.add_argument("--approve", choices=("ask", "yes", "no"), default="ask", help="approvals")
    options = parser.parse_args(argv)
    if options.agent is None and not options.list:
        parser.error("name an example, or give --list")
    if options.scripted and options.url:
        parser.error("--scripted starts a server of its own, so that --url cannot be used")
    return options


def show_list() -> None:
    for name, example in EXAMPLES.items():
        spec = bundle.read(example.bundle())
        sys.stdout.write(f"{name}: {spec.description}\n")
        for advice in lacking(needs(spec), os.environ):
            sys.stdout.write(f"    for a real model: {advice}\n")


def main(argv: Sequence[str] | None = None) -> int:
    options = arguments(argv)
    if options.list:
        show_list()
        return 0
    # A line is read by people, and by pipes, when it is printed.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # standard output is a text file
    try:
        return asyncio.run(_until_ended(options))
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED
    except (NotReady, OmnigentError, httpx.HTTPError) as error:
        sys.stderr.write(f"examples.run: {error}\n")
        return 1


async def _until_ended(options: argparse.Namespace) -> int:
    """Ctrl-C and SIGTERM end it, also where whoever started it had signals ignored."""
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await run(options)


if __name__ == "__main__":
    sys.exit(main())
