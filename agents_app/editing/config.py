"""What people may change of an agent without uploading it anew: its words, its model, its MCP servers."""

from agents_app.bodies import AgentChanges
from agents_app.editing.documents import Document, EditRefused, Files, block_of
from agents_app.editing.mcp_servers import replace_servers
from omnigent.spec.parser import INSTRUCTION_FILES


def apply_changes(files: Files, changes: AgentChanges) -> Files:
    """The bundle with these changes. Raises EditRefused."""
    document = Document(files)
    said = changes.model_fields_set
    if "description" in said:
        _set_or_drop(document.data, "description", changes.description)
    if "instructions" in said:
        _set_instructions(document, changes.instructions or "")
    if "model" in said or "harness" in said:
        _set_executor(document, changes)
    if changes.mcp_servers is None:
        return document.files
    return replace_servers(document.files, changes.mcp_servers)


def _set_or_drop(data: dict[str, object], key: str, value: str | None) -> None:
    if value:
        data[key] = value
    else:
        data.pop(key, None)


def _set_instructions(document: Document, text: str) -> None:
    """In the file that holds them, if one does; the text of a file is never taken for a file's name."""
    key = next((name for name in ("instructions", "prompt") if document.data.get(name) is not None), None)
    if key is None:
        beside = next((name for name in INSTRUCTION_FILES if name in document.others), None)
    else:
        named = str(document.data[key]).strip().removeprefix("./")
        beside = named if named in document.others else None
    if beside is not None:
        document.others[beside] = text.encode()
        return
    if text.strip().removeprefix("./") in document.others:
        raise EditRefused("instructions: a single word that names a file of the agent stands for that file")
    document.data[key or "instructions"] = text


def _set_executor(document: Document, changes: AgentChanges) -> None:
    data = document.data
    if isinstance(data.get("executor"), str):
        data["executor"] = {"model": data["executor"]}
    executor = block_of(data, "executor")
    if "model" in changes.model_fields_set:
        _set_or_drop(executor, "model", changes.model)
    if "harness" not in changes.model_fields_set:
        return
    if not document.is_directory:
        _set_or_drop(executor, "harness", changes.harness)
        return
    # A vendor's executor type is another way to name a harness; one of the two must go.
    executor.pop("type", None)
    _set_or_drop(block_of(executor, "config"), "harness", changes.harness)
