"""An agent's document as data that can be changed and written back; keys keep their order."""

from collections.abc import Mapping
from typing import Any

import yaml

from omnigent.spec import BundleError
from omnigent.spec.document import load_mapping
from omnigent.spec.parser import shape_of

CONFIG = "config.yaml"
YAML_SUFFIXES = (".yaml", ".yml")

Files = Mapping[str, bytes]


class EditRefused(ValueError):
    """The change makes no sense for this agent; the message may be shown."""


class NoSuchServer(EditRefused):
    """The agent has no MCP server of that name."""


class ServerExists(EditRefused):
    """The agent has a server or a tool of that name already."""


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block, as authors do."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)


class Document:
    """The one document that makes a bundle an agent. Change `data`, then take `files`."""

    def __init__(self, files: Files) -> None:
        self.others = dict(files)
        self.path = _document_path(files)
        self.data: dict[str, Any] = load_mapping(self.others.pop(self.path), name=self.path)

    @property
    def is_directory(self) -> bool:
        """Whether the bundle has the shape with a `config.yaml` and files beside it."""
        return self.path == CONFIG and shape_of(self.data) == "directory"

    def block(self, key: str) -> dict[str, Any]:
        """The mapping under a key, made when there is none. Raises EditRefused for anything else there."""
        return block_of(self.data, key)

    @property
    def files(self) -> dict[str, bytes]:
        """The bundle with the document as it is now."""
        return {**self.others, self.path: written(self.data)}


def block_of(data: dict[str, Any], key: str) -> dict[str, Any]:
    """The mapping under a key of another, made when there is none."""
    if data.get(key) is None:
        data[key] = {}
    found: object = data[key]
    if not isinstance(found, dict):
        raise EditRefused(f"{key} is no mapping in the agent's document")
    return found


def written(data: Mapping[str, Any]) -> bytes:
    """YAML that reads back as the same data."""
    text: str = yaml.dump(
        dict(data), Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=100
    )
    return text.encode()


def _document_path(files: Files) -> str:
    if CONFIG in files:
        return CONFIG
    roots = [
        path
        for path in files
        if "/" not in path and not path.startswith(".") and path.endswith(YAML_SUFFIXES)
    ]
    if len(roots) != 1:
        raise BundleError("it has neither a config.yaml nor exactly one YAML file at its root")
    return roots[0]
