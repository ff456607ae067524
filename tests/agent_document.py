"""docs/agents.md as its examples: fenced blocks in their order, and the files that they name."""

import re
from pathlib import Path

from tests.policy_document import FENCE, ROOT, Block

DOCUMENT = ROOT / "docs" / "agents.md"
AGENT = "helper"


def blocks() -> list[Block]:
    """All of them."""
    return [Block(found["kind"], found["text"]) for found in FENCE.finditer(DOCUMENT.read_text())]


def of_kind(kind: str) -> list[str]:
    """The texts of the blocks of one kind."""
    return [block.text for block in blocks() if block.kind == kind]


def files() -> dict[str, str]:
    """What stands in blocks that name a file, by path."""
    named = (block.kind.partition(" ") for block in blocks())
    paths = {path: block.text for (_, _, path), block in zip(named, blocks(), strict=True)}
    return {path: text for path, text in paths.items() if re.fullmatch(r"[\w./-]+\.(py|md|yaml)", path)}


def agent_files() -> dict[str, bytes]:
    """The agent of the document, by path in its bundle."""
    inside = f"{AGENT}/"
    return {
        path.removeprefix(inside): text.encode() for path, text in files().items() if path.startswith(inside)
    }


def tables() -> list[list[list[str]]]:
    """Every table as rows of cells, without its head."""
    found: list[list[list[str]]] = []
    before = ""
    for line in DOCUMENT.read_text().splitlines():
        if line.startswith("|"):
            if not before.startswith("|"):
                found.append([])
            found[-1].append([cell.strip() for cell in line.strip().strip("|").split("|")])
        before = line
    return [rows[2:] for rows in found]


def names_in(cell: str) -> list[str]:
    """What a cell sets in code."""
    return re.findall(r"`([^`]+)`", cell)


def write(directory: Path) -> None:
    """Write the files below a directory."""
    for path, text in files().items():
        place = directory / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
