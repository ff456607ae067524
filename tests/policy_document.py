"""docs/policies.md as its examples: fenced blocks in their order, and modules that can be imported."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "policies.md"
FENCE = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
MODULE = re.compile(r"# (?P<name>\w+\.py)\n")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: `kind` is what stands after the fence."""

    kind: str
    text: str


def blocks() -> list[Block]:
    """All of them."""
    return [Block(found["kind"], found["text"]) for found in FENCE.finditer(DOCUMENT.read_text())]


def of_kind(kind: str) -> list[str]:
    """The texts of the blocks of one kind."""
    return [block.text for block in blocks() if block.kind == kind]


def only(kind: str) -> str:
    """The text of the one block of a kind."""
    [text] = of_kind(kind)
    return text


def commands() -> Iterator[tuple[str, str | None]]:
    """(shell command, the JSON that it is documented to answer with)."""
    found = blocks()
    for block, after in zip(found, [*found[1:], Block("", "")], strict=True):
        if block.kind == "sh":
            yield block.text, after.text if after.kind == "json" else None


def write_modules(directory: Path) -> list[str]:
    """Write the Python blocks as files under the names of their first lines; these names."""
    names = []
    for text in of_kind("python"):
        head = MODULE.match(text)
        assert head is not None, f"no file name: {text[:60]}"
        (directory / head["name"]).write_text(text)
        names.append(head["name"])
    return names
