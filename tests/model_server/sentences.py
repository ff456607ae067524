"""A script for whole agents: follows the sentences of the scripted harness, and looks after sub-agents."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omnigent.runner.harnesses import script
from tests.model_server.prompt import Prompt
from tests.model_server.steps import Call, Reasoning, Reply, Step, Text, Tokens

MOST_TRIES = 3
_WAKE = re.compile(r"\[System: sub-agent [^\]]+ finished \(")
_REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)
_INBOX = re.compile(r'\{"count":')
_SHOWN = 400

Said = Sequence[tuple[str, str]]


def follow(prompt: Prompt) -> Reply:
    """Reads the inbox when it is told to, sends failed tasks again, and else takes the sentences in order."""
    said = [(speaker, _REMINDER.sub("", text).strip()) for speaker, text in prompt.said]
    said = [(speaker, text) for speaker, text in said if text and speaker in {"user", "assistant", "tool"}]
    tokens = Tokens(input_tokens=max(1, prompt.size), output_tokens=7)
    speaker, last = said[-1] if said else ("user", "")
    given = _inbox(last) if speaker == "tool" else None
    if given is not None:
        return [*_about(given, said, prompt.tools), tokens]
    if _told(said) > _collected(said):
        return [Call(_offered("sys_read_inbox", prompt.tools)), tokens]
    return [*_next(said, prompt.tools), tokens]


def _next(said: Said, tools: Sequence[str]) -> Iterator[Step]:
    """The steps of the last message that were not taken yet, up to the next call."""
    start = max((place for place, (speaker, _) in enumerate(said) if speaker == "user"), default=0)
    asked = said[start][1] if said else ""
    outputs = [text for speaker, text in said[start:] if speaker == "tool"]
    steps = _steps(asked)
    taken = 0
    for place, step in enumerate(steps):
        calls = _calls(step, tools)
        if not calls:
            continue
        taken += len(calls)
        if taken > len(outputs):
            yield from _words(steps[:place] if taken == len(calls) else ())
            yield from calls
            return
    if outputs:
        yield Text("The tools answered:\n" + "\n".join(_short(output) for output in outputs))
        return
    yield from _words(steps) if steps else (Text(f"You said: {asked}"),)


def _about(given: Sequence[Mapping[str, Any]], said: Said, tools: Sequence[str]) -> Iterator[Step]:
    """Says what came back, and sends again what failed."""
    if not given:
        yield Text("Nothing is in the inbox.")
        return
    for one in given:
        what = f"{one.get('agent') or one.get('tool')}/{one.get('title')}"
        yield Text(f"{what} {one.get('status', 'completed')}: {_short(str(one.get('result')))}\n")
    for one in given:
        task = _task(one, said) if one.get("status") == "failed" else None
        if task is not None:
            yield Call(_offered("sys_session_send", tools), task)


def _task(one: Mapping[str, Any], said: Said) -> Mapping[str, Any] | None:
    """What the sub-agent was asked under this title, unless it has failed too often."""
    key = (one.get("agent"), one.get("title"))
    failures = sum(
        (each.get("agent"), each.get("title")) == key and each.get("status") == "failed"
        for speaker, text in said
        if speaker == "tool"
        for each in _inbox(text) or ()
    )
    asked = (step for speaker, text in said if speaker == "user" for step in _steps(text))
    calls = (call for step in asked if isinstance(step, script.Call) for call in step.calls)
    tasks = (
        task
        for name, task in calls
        if name == "sys_session_send" and (task.get("agent"), task.get("title")) == key
    )
    return next(tasks, None) if failures < MOST_TRIES else None


def _steps(text: str) -> list[script.Step]:
    """The requests among the lines; of other lines nothing."""
    found = []
    for line in (line.strip() for line in text.splitlines()):
        if line:
            [step] = script.steps_of(line)
            if step != script.Say(script.words(f"You said: {line}\n\n{script.ABILITIES}")):
                found.append(step)
    return found


def _calls(step: script.Step, tools: Sequence[str]) -> list[Call]:
    if isinstance(step, script.AskFirst):
        return [Call(_offered("sys_os_shell", tools), {"command": step.command})]
    if isinstance(step, script.Call):
        return [Call(_offered(name, tools), dict(arguments)) for name, arguments in step.calls]
    return []


def _words(steps: Sequence[script.Step]) -> Iterator[Step]:
    for step in steps:
        if isinstance(step, script.Say):
            yield Text("".join(step.pieces), delay=0.1 if step.slowly else 0.0)
        elif isinstance(step, script.Think):
            # The pause is before each word.
            yield Reasoning("Hmm. " * max(1, round(step.seconds * 10)), delay=0.1)
            yield Text(f"I thought for {step.seconds:g} seconds.\n")


def _offered(name: str, tools: Sequence[str]) -> str:
    """The name under which the engine offers a tool of ours."""
    return next((tool for tool in tools if tool == name or tool.endswith(f"__{name}")), name)


def _told(said: Said) -> int:
    """Of how many ends of sub-agents the conversation says."""
    return sum(len(_WAKE.findall(text)) for speaker, text in said if speaker != "assistant")


def _collected(said: Said) -> int:
    """How many of them it has been given."""
    return sum(
        one.get("kind") == "sub_agent"
        for speaker, text in said
        if speaker == "tool"
        for one in _inbox(text) or ()
    )


def _inbox(text: str) -> list[dict[str, Any]] | None:
    """The results, if this is what an inbox answers."""
    match = _INBOX.search(text)
    if match is None:
        return None
    try:
        body, _ = json.JSONDecoder().raw_decode(text, match.start())
    except ValueError:
        return None
    return list(body.get("results", ()))


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} (and more)"
