"""A conversation as Markdown for people. What somebody said stands in a quote or a fence, so that nothing in
it can pass for a heading of the transcript.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from omnigent.protocol import items

Data = Mapping[str, Any]  # the payload of an item
Names = Mapping[str, str]
"""Names of files by their ids."""

TICKS = re.compile("`+")
SPECIAL = re.compile(r"([\\`*_\[\]<>#|~])")
SUMMARY = "Summary of the conversation so far"


def header(*, title: str, level: int, facts: Sequence[tuple[str, str]]) -> str:
    """A session's heading and what is known of it."""
    lines = [f"{'#' * level} {plain(title)}", ""]
    lines += [f"- {name}: {plain(value)}" for name, value in facts if value]
    return "\n".join(lines) + "\n\n"


def entry(*, type_: str, data: Data, created_at: datetime, created_by: str, files: Names) -> str:
    """One item; empty for what people are not shown."""
    write = ENTRIES.get(type_)
    found = write(data, files) if write else None
    if found is None:
        return ""
    who, body = found
    by = f" ({plain(created_by)})" if created_by else ""
    return f"**{plain(who)}**{by} · {clock(created_at)}\n\n{body}\n\n"


def clock(moment: datetime) -> str:
    """A time for people."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def plain(text: str) -> str:
    """One line of text without any meaning in Markdown."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


def quoted(text: str) -> str:
    """Text as a quote: its own Markdown works inside."""
    return "\n".join(f"> {line}".rstrip() for line in text.splitlines()) or ">"


def fenced(text: str, language: str = "") -> str:
    """Text to the letter, in a fence that is longer than any inside."""
    fence = "`" * max(3, 1 + max(map(len, TICKS.findall(text)), default=0))
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def _message(data: Data, files: Names) -> tuple[str, str] | None:
    if data.get("is_meta"):
        return None
    who = "User" if data.get("role") == "user" else str(data.get("model") or "Assistant")
    parts = [items.text_of(data["content"])]
    parts += [_attached(block, files) for block in data["content"] if isinstance(block, Mapping)]
    body = "\n\n".join(part for part in parts if part)
    return who, quoted(body) + ("\n>\n> (interrupted)" if data.get("interrupted") else "")


def _attached(block: Mapping[str, Any], files: Names) -> str:
    kind = block.get("type")
    if kind not in ("input_image", "input_file"):
        return ""
    name = files.get(str(block.get("file_id"))) or block.get("filename") or block.get("file_id") or "inline"
    return f"[{'image' if kind == 'input_image' else 'file'}: {plain(str(name))}]"


def _call(data: Data, files: Names) -> tuple[str, str]:
    return f"Tool call: {data['name']}", fenced(data["arguments"], "json")


def _output(data: Data, files: Names) -> tuple[str, str]:
    return "Tool output", fenced(data["output"])


def _error(data: Data, files: Names) -> tuple[str, str]:
    return f"Error: {data['code']}", quoted(data["message"])


def _compaction(data: Data, files: Names) -> tuple[str, str]:
    return SUMMARY, quoted(data["summary"])


def _slash_command(data: Data, files: Names) -> tuple[str, str]:
    body = fenced(f"/{data['name']} {data.get('arguments') or ''}")
    return "Command", f"{body}\n\n{quoted(data['output'])}" if data.get("output") else body


def _terminal_command(data: Data, files: Names) -> tuple[str, str]:
    text = "\n".join(str(data[name]) for name in ("input", "stdout", "stderr") if data.get(name))
    return "Terminal", fenced(text)


def _reasoning(data: Data, files: Names) -> tuple[str, str] | None:
    texts = [
        block["text"]
        for block in data["summary"]
        if isinstance(block, Mapping) and isinstance(block.get("text"), str)
    ]
    return ("Reasoning", quoted("\n\n".join(texts))) if texts else None


Entry = Callable[[Data, Names], tuple[str, str] | None]

ENTRIES: Mapping[str, Entry] = MappingProxyType(
    {
        items.Message.type: _message,
        items.FunctionCall.type: _call,
        items.FunctionCallOutput.type: _output,
        items.Error.type: _error,
        items.Compaction.type: _compaction,
        items.SlashCommand.type: _slash_command,
        items.TerminalCommand.type: _terminal_command,
        items.Reasoning.type: _reasoning,
    }
)
"""What people are shown, by item type."""
