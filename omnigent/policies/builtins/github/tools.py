"""What a call of a GitHub tool wants to do, from its name and its arguments."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from omnigent.policies.builtins.github import tool_names as known
from omnigent.policies.builtins.github.access import Operation, branch_of, is_tag_ref
from omnigent.policies.builtins.github.repositories import api_repository_of, is_url, repository_of
from omnigent.policies.calls import Call

Kind = Literal["read", "write", "free", "unknown", "foreign"]
"""`free` is always allowed, `unknown` is GitHub's but unclear, `foreign` is not GitHub's."""


def tool_operation(call: Call, prefixes: Sequence[str]) -> Operation | None:
    """What the call does; None when it is not GitHub's or is always allowed. Unknown tools carry a doubt."""
    name, kind = _classify(call.name, prefixes)
    if kind in ("foreign", "free"):
        return None
    if kind == "unknown":
        return Operation(what=call.name, kind="write", doubt="it is not known what this tool does")
    layers = _layers(call.arguments)
    methods = {text.upper() for text in _texts(layers, known.METHOD_KEYS)}
    # A generic call is what its method says; the names of other tools decide alone.
    if name.endswith("_api_call") and methods - {"GET", "HEAD"}:
        kind = "write"
    repos, is_sure = _repositories(layers)
    refs = _texts(layers, known.BRANCH_KEYS)
    return Operation(
        what=call.name,
        kind="read" if kind == "read" else "write",
        repos=repos,
        is_sure=is_sure,
        branches=tuple(branch_of(ref) for ref in refs if not is_tag_ref(ref)),
        is_on_branch=name in known.ON_BRANCH or (name.endswith("write_api_call") and _is_on_branch(layers)),
        is_forced=kind != "read" and any(layer.get("force") in (True, "true") for layer in layers),
        is_destructive=_is_destructive(name, kind, methods),
        is_tag=kind != "read" and (name in known.TAG_WRITES or any(is_tag_ref(ref) for ref in refs)),
    )


def _classify(tool: str, prefixes: Sequence[str]) -> tuple[str, Kind]:
    """The tool's own name and what is known of it."""
    lowered = tool.lower()
    prefix = max((item for item in prefixes if lowered.startswith(item.lower())), key=len, default="")
    bare = lowered[len(prefix) :]
    name = bare.removeprefix("github_")
    is_ours = bool(prefix) or name != bare
    if name in known.SERVICE_INFO:
        return name, "free"
    if name.endswith("read_api_call") and (is_ours or name == "read_api_call"):
        return name, "read"
    if name.endswith("write_api_call") and (is_ours or name == "write_api_call"):
        return name, "write"
    if name in known.READS:
        return name, "read"
    if name in known.WRITES:
        return name, "write"
    if is_ours and (verb := _verb(name)) is not None:
        return name, verb
    # A name that only resembles GitHub's may be anybody's.
    return name, "unknown" if prefix else "foreign"


def _verb(name: str) -> Kind | None:
    if name.startswith(known.WRITE_VERBS) or name.endswith(known.WRITE_ENDINGS):
        return "write"
    if name.startswith(known.READ_VERBS) or name.endswith(known.READ_ENDINGS):
        return "read"
    return None


def _is_destructive(name: str, kind: Kind, methods: set[str]) -> bool:
    is_deleting = name.startswith("delete_") or name.endswith("_delete")
    return kind == "write" and (is_deleting or "DELETE" in methods) and name not in known.HARMLESS_DELETES


def _is_on_branch(layers: list[Mapping[str, Any]]) -> bool:
    marks = ("/contents/", "/git/refs", "/merges", "/merge", "/branches/")
    return any(mark in path for path in _texts(layers, known.PATH_KEYS) for mark in marks)


def _layers(arguments: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The arguments and the objects one level into them that hold parameters."""
    inner = (arguments.get(key) for key in known.CONTAINER_KEYS)
    return [arguments, *(value for value in inner if isinstance(value, Mapping))]


def _texts(layers: list[Mapping[str, Any]], keys: Sequence[str]) -> list[str]:
    values = (layer.get(key) for layer in layers for key in keys)
    return [value.strip() for value in values if isinstance(value, str) and value.strip()]


def _repositories(layers: list[Mapping[str, Any]]) -> tuple[frozenset[str], bool]:
    """Every repository that the arguments name, and whether all that should name one could be read."""
    named = list(_named(layers))
    return frozenset(repo for repo in named if repo is not None), None not in named


def _named(layers: list[Mapping[str, Any]]) -> Iterator[str | None]:
    owners = _texts(layers, known.OWNER_KEYS)
    for text in _texts(layers, known.REPOSITORY_KEYS):
        if "/" in text:
            yield repository_of(text)
        else:
            yield from (repository_of(f"{owner}/{text}") for owner in owners)
    for text in _texts(layers, known.PATH_KEYS):
        if text.strip("/").lower().startswith("repos/"):
            yield api_repository_of(text)
    for layer in layers:
        for key, value in layer.items():
            is_address = isinstance(value, str) and key not in known.PROSE_KEYS and is_url(value)
            if is_address and (repo := repository_of(value)) is not None:
                yield repo
