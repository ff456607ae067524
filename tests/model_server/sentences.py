"""A script for whole agents: follows the sentences of the scripted harness, and looks after sub-agents."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from omnigent.runner.harnesses import script
from tests.model_server.prompt import Prompt
from tests.model_server.steps import Call, Reasoning, Reply, Step, Text, Tokens

MOST_TRIES = 3
_WAKE = re.compile(r"\[System: sub-agent [^\]]+ finished \(")
_REMINDER = re.compile(r"<system-reminder>.*?</system-reminder>", re.DOTALL)
_INBOX = re.compile(r'\{"count":')
_HANDLE = re.compile(r'\{"task_id":')
_SHOWN = 400

Said = Sequence[tuple[str, str]]
Object = Mapping[str, Any]


def follow(prompt: Prompt) -> Reply:
    """Reads the inbox when told to, sends again what was not completed, and else takes the sentences."""
    whole = [(speaker, _REMINDER.sub("", text).strip()) for speaker, text in prompt.said]
    said = [(speaker, text) for speaker, text in whole if text and speaker in {"user", "assistant", "tool"}]
    tokens = Tokens(input_tokens=max(1, prompt.size), output_tokens=7)
    given = _new_results(said)
    calls = [Call(_offered("sys_session_send", prompt.tools), task) for task in _to_repeat(said)]
    # Engines tell what comes during a turn in ways of their own, so that the speaker does not count here.
    told = sum(len(_WAKE.findall(text)) for speaker, text in whole if speaker != "assistant")
    if told > _collected(said) and given != []:
        calls.append(Call(_offered("sys_read_inbox", prompt.tools)))
    if given is not None or calls:
        return [*_report(given), *calls, tokens]
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
        answers = [_answer(output) for output in outputs if _results(output) is None]
        yield Text("The tools answered:\n" + "\n".join(answers))
        return
    yield from _words(steps) if steps else (Text(f"You said: {asked}"),)


def _report(given: Sequence[Object] | None) -> Iterator[Step]:
    """What came back."""
    if given == []:
        yield Text("Nothing is in the inbox.")
    for one in given or ():
        what = f"{one.get('agent') or one.get('tool')}/{one.get('title')}"
        yield Text(f"{what} {one.get('status', 'completed')}: {_short(str(one.get('result')))}\n")


def _to_repeat(said: Said) -> Iterator[Object]:
    """Tasks that did not come to a good end, were not sent again since, and have not failed too often."""
    failures: Counter[tuple[Any, Any]] = Counter()
    waiting: dict[tuple[Any, Any], None] = {}
    for text in (text for speaker, text in said if speaker == "tool"):
        for one in _results(text) or ():
            if one.get("kind") == "sub_agent" and one.get("status") != "completed":
                failures[_key(one)] += 1
                waiting[_key(one)] = None
        waiting.pop(_key(_object(_HANDLE, text)), None)
    asked = [step for speaker, text in said if speaker == "user" for step in _steps(text)]
    calls = [call for step in asked if isinstance(step, script.Call) for call in step.calls]
    tasks = {_key(task): task for name, task in calls if name == "sys_session_send"}
    return (tasks[key] for key in waiting if key in tasks and failures[key] < MOST_TRIES)


def _key(one: Object) -> tuple[Any, Any]:
    return one.get("agent"), one.get("title")


def _steps(text: str) -> list[script.Step]:
    """The requests among the lines; of other lines nothing.

    The same line twice is one request: some engines join what was said before they were cut off with what was
    said after it.
    """
    found = []
    for line in dict.fromkeys(line.strip() for line in text.splitlines()):
        if line and not _WAKE.match(line):
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


def _collected(said: Said) -> int:
    """How many ends of sub-agents the inbox has given."""
    texts = (text for speaker, text in said if speaker == "tool")
    return sum(one.get("kind") == "sub_agent" for text in texts for one in _results(text) or ())


def _new_results(said: Said) -> list[Object] | None:
    """What the inbox has given since the last words of the model; None when it was not read."""
    start = max((place for place, (speaker, _) in enumerate(said, 1) if speaker == "assistant"), default=0)
    read = [_results(text) for speaker, text in said[start:] if speaker == "tool"]
    found = [results for results in read if results is not None]
    return [one for results in found for one in results] if found else None


def _results(text: str) -> list[Object] | None:
    """What an inbox answers; None for the output of anything else."""
    return list(_object(_INBOX, text).get("results", ())) if _INBOX.search(text) else None


def _object(beginning: re.Pattern[str], text: str) -> Object:
    """The JSON object that begins so; empty when there is none."""
    match = beginning.search(text)
    if match is None:
        return {}
    try:
        body: Object = json.JSONDecoder().raw_decode(text, match.start())[0]
    except ValueError:
        return {}
    return body


def _answer(output: str) -> str:
    handle = _object(_HANDLE, output)
    return f"{handle['agent']} is at work." if handle else _short(output)


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]} (and more)"
