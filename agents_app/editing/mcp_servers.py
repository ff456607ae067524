"""The MCP servers of a bundle: files under `tools/mcp` of a directory, keys under `tools` of a document."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from agents_app.bodies import McpServerBody
from agents_app.editing.documents import (
    YAML_SUFFIXES,
    Document,
    EditRefused,
    Files,
    NoSuchServer,
    ServerExists,
    block_of,
    written,
)
from omnigent.spec.document import load_mapping
from omnigent.spec.tool_blocks import FIXED_KEYS
from omnigent.spec.types import REDACTED

FOLDER = "tools/mcp/"
# What a transport has no use for, and the reader of specifications refuses beside it.
ALIEN: Mapping[str, tuple[str, ...]] = {
    "http": ("command", "args", "env"),
    "stdio": ("url", "headers"),
    "registry": ("command", "args", "env", "url", "headers"),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """A server as the bundle has it; `path` is empty for one inside the document."""

    name: str
    row: Mapping[str, Any]
    path: str = ""


def add_server(files: Files, form: McpServerBody) -> Files:
    """One server more. Raises ServerExists."""
    document = Document(files)
    _refuse_taken(document, form.name)
    _put(document, form, Stored(name=form.name, row={}, path=_free_path(document, form)))
    return document.files


def change_server(files: Files, name: str, form: McpServerBody) -> Files:
    """The server as the form says, which may name it anew. Raises NoSuchServer, ServerExists."""
    document = Document(files)
    known = _find(document, name)
    if form.name != name:
        _refuse_taken(document, form.name)
    _put(document, form, known)
    return document.files


def remove_server(files: Files, name: str) -> Files:
    """The bundle without that server. Raises NoSuchServer."""
    document = Document(files)
    _drop(document, _find(document, name))
    return document.files


def replace_servers(files: Files, forms: list[McpServerBody]) -> Files:
    """Exactly these servers, those that the bundle knows with all that the forms do not say."""
    wanted = [form.name for form in forms]
    if len(set(wanted)) != len(wanted):
        raise ServerExists("two MCP servers have the same name")
    known = {stored.name for stored in _stored(Document(files))}
    for name in known.difference(wanted):
        files = remove_server(files, name)
    for form in forms:
        files = change_server(files, form.name, form) if form.name in known else add_server(files, form)
    return files


def _stored(document: Document) -> Iterator[Stored]:
    for name, row in block_of(dict(document.data), "tools").items():
        if name not in FIXED_KEYS and isinstance(row, dict) and row.get("type") == "mcp":
            yield Stored(name=name, row=row)
    for path in sorted(document.others):
        if path.startswith(FOLDER) and path.count("/") == 2 and path.endswith(YAML_SUFFIXES):
            row = load_mapping(document.others[path], name=path)
            yield Stored(name=str(row.get("name") or ""), row=row, path=path)


def _find(document: Document, name: str) -> Stored:
    found = next((stored for stored in _stored(document) if stored.name == name), None)
    if found is None:
        raise NoSuchServer(f"The agent has no MCP server '{name}'")
    return found


def _refuse_taken(document: Document, name: str) -> None:
    tools = block_of(dict(document.data), "tools")
    if name in FIXED_KEYS:
        raise EditRefused(f"'{name}' means something else among an agent's tools")
    if name in tools or any(stored.name == name for stored in _stored(document)):
        raise ServerExists(f"The agent has a tool or MCP server '{name}' already")


def _free_path(document: Document, form: McpServerBody) -> str:
    """The file of a new server; empty where it belongs into the document."""
    if not document.is_directory or form.transport == "registry":
        return ""
    taken = {path.lower() for path in document.others}
    names = (f"{form.name}{'' if number == 1 else f'-{number}'}.yaml" for number in range(1, len(taken) + 2))
    return next(FOLDER + name for name in names if (FOLDER + name).lower() not in taken)


def _put(document: Document, form: McpServerBody, known: Stored) -> None:
    row = _merged(known.row, form)
    if known.path and form.transport == "registry":
        # Only the document itself can name one of those.
        del document.others[known.path]
    elif known.path:
        document.others[known.path] = written({"name": form.name, **row} | {"name": form.name})
        return
    tools = document.block("tools")
    row = {"type": "mcp", **{key: value for key, value in row.items() if key != "name"}}
    if form.name == known.name or known.name not in tools:
        tools[form.name] = row
        return
    # A renamed server keeps its place.
    document.data["tools"] = {
        (form.name if name == known.name else name): (row if name == known.name else tool)
        for name, tool in tools.items()
    }


def _drop(document: Document, known: Stored) -> None:
    if known.path:
        del document.others[known.path]
        return
    tools = document.block("tools")
    del tools[known.name]
    if not tools:
        del document.data["tools"]


def _merged(row: Mapping[str, Any], form: McpServerBody) -> dict[str, Any]:
    """The stored server with what the form says; what it leaves out and what it does not know stays."""
    merged = {key: value for key, value in row.items() if key not in ALIEN[form.transport]}
    merged["transport"] = form.transport
    said = {name: getattr(form, name) for name in ("description", "url", "command", "args")}
    for key, value in said.items():
        if key in form.model_fields_set and key not in ALIEN[form.transport]:
            merged[key] = value
        if not merged.get(key):
            merged.pop(key, None)
    if form.headers is not None:
        merged["headers"] = _headers(row.get("headers"), form.headers)
        if not merged["headers"]:
            del merged["headers"]
    return merged


def _headers(stored: object, wanted: Mapping[str, str]) -> dict[str, str]:
    known = stored if isinstance(stored, dict) else {}
    missing = [name for name, value in wanted.items() if value == REDACTED and name not in known]
    if missing:
        raise EditRefused(f"headers: no value is stored for '{missing[0]}'")
    return {name: known[name] if value == REDACTED else value for name, value in wanted.items()}
