"""The plain requests that the scripted harness understands, and what each of them does."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

MAX_CALLS: Final = 50
MAX_COUNT: Final = 100_000
MAX_SECONDS: Final = 600.0
TITLE_WORDS: Final = 6


@dataclass(frozen=True, slots=True)
class Say:
    """Text; `pieces` are shown one by one, with a pause between them when `slowly`."""

    pieces: tuple[str, ...]
    slowly: bool = False


@dataclass(frozen=True, slots=True)
class Think:
    """Reasoning for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Call:
    """Tool calls made at once."""

    calls: tuple[tuple[str, Mapping[str, Any]], ...]


@dataclass(frozen=True, slots=True)
class AskFirst:
    """An approval, then the shell command."""

    command: str


@dataclass(frozen=True, slots=True)
class Fail:
    """The turn fails with this message."""

    message: str


@dataclass(frozen=True, slots=True)
class Summarise:
    """A line for each message of the conversation so far."""


Step = Say | Think | Call | AskFirst | Fail | Summarise

ABILITIES: Final = """\
I am a script and no model; I only know these requests, one per line:
- Run the shell command: CMD
- Read the file PATH
- Write TEXT to PATH
- Think for N seconds
- Call N tools at once
- Count to N
- Count to N slowly
- Ask me before running: CMD
- Fail with TEXT
- Summarise the conversation so far
- List the policies that can be added
- Add the policy HANDLER
- Add the policy HANDLER with {"PARAMETER": VALUE}
- Call TOOL with {"ARGUMENT": VALUE}
- Ask the sub-agent NAME: TEXT
- Ask sub-agents NAME and NAME at once: TEXT
- Read the inbox
- Set a timer of N seconds
What sub-agents and background calls come back with I collect when I am told of it.
"""


def steps_of(text: str) -> Iterator[Step]:
    """What to do about one message: its lines in order, or an echo when no line is a request."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    known = [_step_of(line) for line in lines]
    if not any(known):
        yield Say(words(f"You said: {text.strip()}\n\n{ABILITIES}"))
        return
    for line, step in zip(lines, known, strict=True):
        yield step or Say(words(f"You said: {line}\n"))


def words(text: str) -> tuple[str, ...]:
    """The text in small pieces, each a word with the space that follows it."""
    return tuple(re.findall(r"\s*\S+\s*", text)) or ((text,) if text else ())


def _shell(match: re.Match[str]) -> Step:
    return Call((("sys_os_shell", {"command": match["command"]}),))


def _read(match: re.Match[str]) -> Step:
    return Call((("sys_os_read", {"path": match["path"]}),))


def _write(match: re.Match[str]) -> Step:
    return Call((("sys_os_write", {"path": match["path"], "content": match["text"] + "\n"}),))


def _think(match: re.Match[str]) -> Step:
    return Think(min(float(match["seconds"]), MAX_SECONDS))


def _call_many(match: re.Match[str]) -> Step:
    count = min(int(match["count"]), MAX_CALLS)
    return Call(tuple(("sys_os_shell", {"command": f"echo tool {n}"}) for n in range(1, count + 1)))


def _count(match: re.Match[str]) -> Step:
    numbers = range(1, min(int(match["count"]), MAX_COUNT) + 1)
    return Say((*(f"{number} " for number in numbers), "\n"), slowly=match["slowly"] is not None)


def _ask(match: re.Match[str]) -> Step:
    return AskFirst(match["command"])


def _fail(match: re.Match[str]) -> Step:
    return Fail(match["text"])


def _summarise(match: re.Match[str]) -> Step:
    return Summarise()


def _list_policies(match: re.Match[str]) -> Step:
    return Call((("sys_policy_registry", {}),))


def _add_policy(match: re.Match[str]) -> Step:
    """A policy is named after its handler's last part."""
    handler = match["handler"]
    arguments: dict[str, Any] = {"name": handler.rpartition(".")[2], "handler": handler}
    if match["params"] is not None:
        try:
            arguments["factory_params"] = json.loads(match["params"])
        except ValueError:
            return Say(words(f"The parameters are not JSON: {match['params']}\n"))
    return Call((("sys_add_policy", arguments),))


def _call_one(match: re.Match[str]) -> Step:
    try:
        arguments = json.loads(match["arguments"])
    except ValueError:
        return Say(words(f"The arguments are not JSON: {match['arguments']}\n"))
    return Call(((match["tool"], arguments),))


def _ask_sub_agents(match: re.Match[str]) -> Step:
    """A task is named after its first words."""
    agents = [name for name in re.split(r",\s*|\s+and\s+|\s+", match["agents"]) if name]
    title = " ".join(match["text"].split()[:TITLE_WORDS])
    return Call(
        tuple(("sys_session_send", {"agent": name, "title": title, "args": match["text"]}) for name in agents)
    )


def _read_inbox(match: re.Match[str]) -> Step:
    return Call((("sys_read_inbox", {}),))


def _set_timer(match: re.Match[str]) -> Step:
    return Call((("sys_timer_set", {"seconds": float(match["seconds"])}),))


def _timer_fired(match: re.Match[str]) -> Step:
    return Say(words(f"A timer fired. {match['note'] or ''}".rstrip() + "\n"))


_REQUESTS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Step]], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), build)
    for pattern, build in (
        (r"run the shell command:\s*(?P<command>.+)", _shell),
        (r"read the file:?\s+(?P<path>.+)", _read),
        (r"write\s+(?P<text>.+)\s+to\s+(?P<path>\S+)", _write),
        (r"think for\s+(?P<seconds>\d{1,6}(?:\.\d{1,6})?)\s+seconds?\.?", _think),
        (r"call\s+(?P<count>\d{1,6})\s+tools? at once\.?", _call_many),
        (r"count to\s+(?P<count>\d{1,9})(?P<slowly>\s+slowly)?\.?", _count),
        (r"ask me before running:\s*(?P<command>.+)", _ask),
        (r"fail with\s+(?P<text>.+)", _fail),
        (r"summari[sz]e the conversation so far\b.*", _summarise),
        (r"list the policies that can be added\.?", _list_policies),
        (r"add the policy\s+(?P<handler>\S+)(?:\s+with\s+(?P<params>.+))?", _add_policy),
        (r"call\s+(?P<tool>[\w.-]+)\s+with\s+(?P<arguments>\{.*\})", _call_one),
        (r"ask the sub-agent\s+(?P<agents>[^\s:,]+):\s*(?P<text>.+)", _ask_sub_agents),
        (r"ask sub-agents\s+(?P<agents>[^:]+?)\s+at once:\s*(?P<text>.+)", _ask_sub_agents),
        (r"read the inbox\.?", _read_inbox),
        (r"\[system: .+ finished .+ call sys_read_inbox to collect\.\]", _read_inbox),
        (r"set a timer of\s+(?P<seconds>\d{1,6}(?:\.\d{1,3})?)\s+seconds?\.?", _set_timer),
        (r"\[system: timer \S+ fired [^\]]*\](?P<note>.*)", _timer_fired),
    )
)


def _step_of(line: str) -> Step | None:
    for pattern, build in _REQUESTS:
        match = pattern.fullmatch(line)
        if match:
            return build(match)
    return None


def arguments_text(arguments: Mapping[str, Any]) -> str:
    """Arguments as a model writes them."""
    return json.dumps(arguments, ensure_ascii=False)
