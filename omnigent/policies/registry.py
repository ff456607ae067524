"""The registry of policy handlers: the only way from a handler's name to code that may run."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from types import ModuleType
from typing import Any, Literal, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

from omnigent.policies.builtins import (
    cel,
    context,
    cost,
    github,
    google,
    orchestration,
    prompt,
    risk_score,
    routing,
    safety,
    working_dir,
)

Kind = Literal["factory", "callable"]
Json = dict[str, Any]

BUILTINS: tuple[ModuleType, ...] = (
    *(safety, cost, orchestration, working_dir, risk_score, github, google),
    *(context, prompt, routing, cel),
)
LISTED_FIRST = ("omnigent.policies.ask_on_os_tools", "omnigent.policies.block_long_sleep")
NEEDS = frozenset({"subtree_usage", "user_daily_cost", "llm"})
_HANDLER = re.compile(r"[a-zA-Z_]\w*(\.[a-zA-Z_]\w*)+", re.ASCII)

logger = logging.getLogger(__name__)


class EntryError(ValueError):
    """A row of a POLICY_REGISTRY does not describe a handler."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A handler that may be attached.

    `params_schema` is a JSON schema, empty when there is none. `counters` are the reserved state keys that
    the handler may write in any verdict. `needs` names the parts of the context that are costly to fill. A
    fault of an `advisory` handler abstains on phases other than request and tool_call. `foreign` code is
    the operator's.
    """

    handler: str
    kind: Kind
    name: str
    description: str
    target: Callable[..., Any]
    params_schema: Json = field(default_factory=dict)
    internal_only: bool = False
    aliases: tuple[str, ...] = ()
    counters: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    advisory: bool = False
    foreign: bool = False


class Registry:
    """Entries by handler and alias, in discovery order. The first to claim a name keeps it."""

    def __init__(self, entries: Sequence[Entry] = ()) -> None:
        self._entries: list[Entry] = []
        self._by_handler: dict[str, Entry] = {}
        for entry in entries:
            self.add(entry)

    def add(self, entry: Entry) -> None:
        """Raise EntryError when the handler or one of its aliases is taken: nothing replaces a built-in."""
        names = (entry.handler, *entry.aliases)
        taken = [name for name in names if name in self._by_handler]
        if taken:
            raise EntryError(f"{taken[0]} is registered already")
        self._entries.append(entry)
        self._by_handler |= dict.fromkeys(names, entry)

    def get(self, handler: str) -> Entry | None:
        """The entry of a handler or of an alias; None when it may not be attached."""
        return self._by_handler.get(handler)

    def listed(self) -> list[Entry]:
        """What a picker shows: the two documented handlers first, then discovery order."""
        public = [entry for entry in self._entries if not entry.internal_only]
        return sorted(public, key=_listing_rank)

    def entry_json(self, entry: Entry) -> Json:
        """A row of the registry list. `callable_kind` says whether it is built from parameters."""
        return {
            "handler": entry.handler,
            "kind": "python",
            "name": entry.name,
            "description": entry.description,
            "params_schema": entry.params_schema,
            "internal_only": entry.internal_only,
            "callable_kind": entry.kind,
        }


def build_registry(modules: Sequence[str] = ()) -> Registry:
    """The built-ins and what the operator's modules offer; of these, what is unusable is logged and left out.

    Raise EntryError when a built-in does not describe itself properly.
    """
    registry = Registry()
    for module in BUILTINS:
        for row in module.POLICY_REGISTRY:
            registry.add(_entry(row, foreign=False))
    for name in modules:
        for row in _offered(name):
            try:
                registry.add(_entry(row, foreign=True))
            except EntryError as error:
                fields = {"policy_module": name, "problem": str(error)}
                logger.error("policy handler left out", extra=fields)
    return registry


def _offered(name: str) -> Sequence[object]:
    module = _imported(name)
    rows = getattr(module, "POLICY_REGISTRY", None)
    if isinstance(rows, list | tuple):
        return rows
    if module is not None:
        logger.error("policy module without registry", extra={"policy_module": name})
    return ()


def _imported(name: str) -> ModuleType | None:
    try:
        return import_module(name)
    except (Exception, SystemExit):  # the operator's code; the other modules must still load
        logger.exception("policy module not imported", extra={"policy_module": name})
        return None


def _listing_rank(entry: Entry) -> int:
    return LISTED_FIRST.index(entry.handler) if entry.handler in LISTED_FIRST else len(LISTED_FIRST)


def _entry(row: object, *, foreign: bool) -> Entry:
    if not isinstance(row, Mapping):
        raise EntryError("an entry must be a mapping")
    handler = _path(row.get("handler"))
    kind, description = row.get("kind"), row.get("description")
    if kind not in ("factory", "callable"):
        raise EntryError(f"{handler}: kind must be 'factory' or 'callable'")
    if not isinstance(description, str):
        raise EntryError(f"{handler}: description must be text")
    needs = _texts(row, "needs")
    if not NEEDS.issuperset(needs):
        raise EntryError(f"{handler}: needs must be among {', '.join(sorted(NEEDS))}")
    aliases = tuple(_path(alias) for alias in dict.fromkeys(_texts(row, "aliases")))
    return Entry(
        handler=handler,
        kind=cast("Kind", kind),
        name=_name(row, handler),
        description=description,
        target=_target((handler, *aliases)),
        params_schema=_checked_schema(row, handler) if foreign else row.get("params_schema") or {},
        internal_only=_flag(row, "internal_only"),
        aliases=aliases,
        # The automatic counters belong to the built-ins that keep them.
        counters=frozenset() if foreign else frozenset(_texts(row, "counters")),
        needs=frozenset(needs),
        advisory=_flag(row, "advisory"),
        foreign=foreign,
    )


def _path(value: object) -> str:
    if not isinstance(value, str) or not _HANDLER.fullmatch(value):
        raise EntryError(f"{value!r} is no dotted path of a handler")
    return value


def _name(row: Mapping[Any, Any], handler: str) -> str:
    name = row.get("name")
    if name is None:
        return handler.rpartition(".")[2].replace("_", " ").title()
    if not isinstance(name, str):
        raise EntryError(f"{handler}: name must be text")
    return name


def _flag(row: Mapping[Any, Any], key: str) -> bool:
    value = row.get(key, False)
    if not isinstance(value, bool):
        raise EntryError(f"{row['handler']}: {key} must be true or false")
    return value


def _texts(row: Mapping[Any, Any], key: str) -> Sequence[str]:
    value = row.get(key) or ()
    known = list(value) if isinstance(value, list | tuple | set | frozenset) else [None]
    if not all(isinstance(item, str) for item in known):
        raise EntryError(f"{row['handler']}: {key} must be a list of text")
    return cast("list[str]", known)


def _checked_schema(row: Mapping[Any, Any], handler: str) -> Json:
    schema = row.get("params_schema")
    if schema is None:
        return {}
    if not isinstance(schema, dict):
        raise EntryError(f"{handler}: params_schema must be a JSON schema")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise EntryError(f"{handler}: params_schema: {error.message}") from error
    return schema


def _target(paths: Sequence[str]) -> Callable[..., Any]:
    """The code behind the first of these names that has any."""
    for path in paths:
        module, _, attribute = path.rpartition(".")
        target = getattr(_imported(module), attribute, None)
        if callable(target):
            return cast("Callable[..., Any]", target)
    raise EntryError(f"{paths[0]} is not callable")
