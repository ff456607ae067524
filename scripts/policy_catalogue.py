"""Write the table of policies in docs/policies.md from the registry: `python -m scripts.policy_catalogue`."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from omnigent.policies.registry import Entry, build_registry

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "policies.md"
BEGIN, END = "<!-- catalogue -->\n", "<!-- end of catalogue -->"
MAX_DEFAULT = 40
"""Characters of a default that is shown."""


def table() -> str:
    """The table in Markdown, a row for each handler that can be picked."""
    rows = [
        f"| `{entry.handler}` | {_plain(entry.description)} | {', '.join(_parameters(entry)) or 'none'} |\n"
        for entry in build_registry().listed()
    ]
    return "".join(["| handler | what it does | parameters |\n", "|---|---|---|\n", *rows])


def written(document: str) -> str:
    """The document with the table as it is now."""
    before, _, rest = document.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _parameters(entry: Entry) -> Iterator[str]:
    required = entry.params_schema.get("required", ())
    for name, schema in entry.params_schema.get("properties", {}).items():
        star = "\\*" if name in required and "default" not in schema else ""
        yield f"`{name}`{star}{_kind(schema)}"


def _kind(schema: Mapping[str, Any]) -> str:
    """What a parameter takes, and its default when that is short."""
    values = " or ".join(f"`{value}`" for value in schema.get("enum", ()))
    default = schema.get("default")
    shown = json.dumps(default)
    words = [values] if values else []
    if default not in (None, "", [], {}) and len(shown) <= MAX_DEFAULT:
        words.append(f"default `{shown}`")
    return f" ({', '.join(words)})" if words else ""


def _plain(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text()))
