"""YAML text -> plain JSON-like data, refusing what a hostile author could hide in it."""

import re
from typing import Any, Literal

import yaml

from omnigent.spec.errors import BundleError

MAX_CHARACTERS = 1024 * 1024
MAX_DEPTH = 50
MAX_ALIASES = 32
# Building one costs about twenty microseconds.
MAX_NODES = 50_000
MAX_INTEGER = 2**63 - 1

_BOOLEAN = "tag:yaml.org,2002:bool"
_MERGE = "tag:yaml.org,2002:merge"
_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_Base: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


class _Loader(_Base):  # type: ignore[misc]  # which of two classes it extends depends on the machine
    """The safe loader, in which only true and false are booleans and dates stay text.

    `on:` must be usable as a key, which YAML 1.1 reads as a boolean.
    """


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in {_BOOLEAN, _TIMESTAMP}]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_BOOLEAN, re.compile(r"^(?:true|false)$", re.IGNORECASE), list("tTfF"))


def load_yaml(text: str | bytes, *, name: str = "document") -> Any:
    """Parse one YAML document; BundleError names `name` and never a path of this machine."""
    if isinstance(text, bytes):
        try:
            text = text.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise BundleError(f"{name} is not UTF-8") from None
    if len(text) > MAX_CHARACTERS:
        raise BundleError(f"{name} is longer than {MAX_CHARACTERS} characters")
    try:
        data = _load(text, name)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise BundleError(f"{name}: {error.problem or 'invalid YAML'}{where}") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        if isinstance(error, BundleError):
            raise
        raise BundleError(f"{name}: invalid YAML") from None
    return _Cleaner(name).clean(data)


def load_mapping(text: str | bytes, *, name: str = "document") -> dict[str, Any]:
    """Parse one YAML document whose root must be a mapping."""
    data = load_yaml(text, name=name)
    if not isinstance(data, dict):
        kind = "nothing" if data is None else type(data).__name__
        raise BundleError(f"{name} must be a mapping, got {kind}")
    return data


def _load(text: str, name: str) -> Any:
    _check_events(text, name)
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None:
            return None
        _Measure(name).size(root)
        return loader.construct_document(root)
    finally:
        loader.dispose()


def _check_events(text: str, name: str) -> None:
    """Bound size, nesting and aliases before anything slow or recursive looks at the document."""
    depth = aliases = nodes = 0
    for event in yaml.parse(text, _Loader):
        nodes += isinstance(event, yaml.NodeEvent)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        elif isinstance(event, yaml.AliasEvent):
            aliases += 1
        if depth > MAX_DEPTH:
            raise BundleError(f"{name} is nested deeper than {MAX_DEPTH}")
        if aliases > MAX_ALIASES:
            raise BundleError(f"{name} has more than {MAX_ALIASES} aliases")
        if nodes > MAX_NODES:
            raise BundleError(f"{name} has too many values")


class _Measure:
    """What a document costs once every alias is a copy, found without making one.

    Merge keys copy what they refer to while objects are built, so this must come first.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.sizes: dict[int, int] = {}
        self.open: set[int] = set()

    def size(self, node: yaml.Node) -> int:
        if isinstance(node, yaml.ScalarNode):
            return 1
        known = self.sizes.get(id(node))
        if known is not None:
            return known
        if id(node) in self.open:
            raise BundleError(f"{self.name} refers to itself")
        self.open.add(id(node))
        if isinstance(node, yaml.MappingNode):
            self._check_keys(node)
            size = 1 + sum(self.size(key) + self.size(value) for key, value in node.value)
        else:
            size = 1 + sum(map(self.size, node.value))
        if size > MAX_NODES:
            raise BundleError(f"{self.name} has too many values")
        self.open.discard(id(node))
        self.sizes[id(node)] = size
        return size

    def _check_keys(self, node: yaml.MappingNode) -> None:
        """A key given twice would silently drop what the first one said."""
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            if key.value in seen:
                where = f" at line {key.start_mark.line + 1}" if key.start_mark else ""
                raise BundleError(f"{self.name}: the key {key.value[:100]!r} is given twice{where}")
            seen.add(key.value)


class _Cleaner:
    """Copies loaded data into dicts, lists and scalars that JSON can carry."""

    def __init__(self, name: str) -> None:
        self.name = name

    def clean(self, value: object) -> Any:
        if isinstance(value, str):
            return self._text(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return self._number(value)
        if isinstance(value, dict):
            return {self._key(key): self.clean(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.clean(item) for item in value]
        raise BundleError(f"{self.name}: unsupported value of type {type(value).__name__}")

    def _key(self, key: object) -> str:
        if isinstance(key, bool):
            spelling: Literal["true", "false"] = "true" if key else "false"
            return spelling
        if isinstance(key, str | int | float):
            return self._text(str(key))
        raise BundleError(f"{self.name}: mapping keys must be text")

    def _number(self, value: float) -> float:
        if not -MAX_INTEGER <= value <= MAX_INTEGER:
            raise BundleError(f"{self.name} contains a number that JSON cannot carry")
        return value

    def _text(self, text: str) -> str:
        # Databases refuse NUL, and a lone surrogate cannot be encoded at all.
        if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
            raise BundleError(f"{self.name} contains a character that cannot be stored")
        return text
