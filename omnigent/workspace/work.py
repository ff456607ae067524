"""Operations by name, for the runner's routes, the host's requests and the worker in a sandbox alike.

A request is one JSON object with `do`, `path` and what the operation takes, an answer what the API answers.
"""

import os
import stat
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from omnigent.workspace.deleting import deleted
from omnigent.workspace.entries import Json
from omnigent.workspace.errors import invalid
from omnigent.workspace.listing import listed, paging_of
from omnigent.workspace.names import Parts
from omnigent.workspace.reading import content_of
from omnigent.workspace.root import Root, opened_file
from omnigent.workspace.search import found_in, query_of
from omnigent.workspace.writing import bytes_of, edited, written

T = TypeVar("T", str, int, bool)


def done(root: Root, request: Mapping[str, Any]) -> Json:
    """Do what a request says. Raises Refused."""
    work = WORK.get(request["do"])
    if work is None:
        raise invalid(f"unknown operation {str(request['do'])[:40]!r}")
    return work(root, root.parts(given(request, "path", "")), request)


def given(request: Mapping[str, Any], name: str, default: T) -> T:
    """A value of the default's type; null and absent are the default. Raises Refused."""
    value = request.get(name)
    if value is None:
        return default
    if type(value) is not type(default):
        kinds = {str: "a text", int: "a whole number", bool: "true or false"}
        raise invalid(f"{name} must be {kinds[type(default)]}")
    return value


def needed(request: Mapping[str, Any], name: str) -> str:
    """A text that must be there. Raises Refused."""
    if request.get(name) is None:
        raise invalid(f"{name} is required")
    return given(request, name, "")


def list_(root: Root, parts: Parts, request: Mapping[str, Any]) -> Json:
    """A page of a directory. Raises Refused."""
    paging = paging_of(
        given(request, "limit", 20),
        given(request, "after", "") or None,
        given(request, "before", "") or None,
        given(request, "order", "desc"),
    )
    return listed(root, parts, paging)


def list_or_read(root: Root, parts: Parts, request: Mapping[str, Any]) -> Json:
    """A page of a directory, or what a file holds. Raises Refused."""
    opened = open_unless_directory(root, parts)
    if opened is None:
        return list_(root, parts, request)
    try:
        return content_of(opened, parts)
    finally:
        os.close(opened)


def open_unless_directory(root: Root, parts: Parts) -> int | None:
    """A file for reading, which the caller closes; None for a directory. Raises Refused."""
    with root.place(parts) as place:
        if stat.S_ISDIR(place.stat().st_mode):
            return None
        return opened_file(place, parts)[0]


def search(root: Root, parts: Parts, request: Mapping[str, Any]) -> Json:
    """Names or lines that hold a text. Raises Refused."""
    query = query_of(
        given(request, "q", ""),
        given(request, "include", ""),
        given(request, "exclude", ""),
        given(request, "limit", 100),
        given(request, "mode", "name"),
    )
    return found_in(root, parts, query)


def write(root: Root, parts: Parts, request: Mapping[str, Any]) -> Json:
    """A whole file. Raises Refused."""
    data = bytes_of(needed(request, "content"), given(request, "encoding", "utf-8"))
    return written(root, parts, data, create_parents=given(request, "create_parents", True))  # noqa: FBT003 - the default of a field


def edit(root: Root, parts: Parts, request: Mapping[str, Any]) -> Json:
    """A passage of a file. Raises Refused."""
    old, new = needed(request, "old_text"), needed(request, "new_text")
    return edited(root, parts, old, new, replace_all=given(request, "replace_all", False))  # noqa: FBT003 - the default of a field


def delete(root: Root, parts: Parts, request: Mapping[str, Any]) -> Json:
    """A file or a directory. Raises Refused."""
    return deleted(root, parts, recursive=given(request, "recursive", False))  # noqa: FBT003 - the default of a field


WORK: Final[Mapping[str, Callable[[Root, Parts, Mapping[str, Any]], Json]]] = {
    "list": list_,
    "list_or_read": list_or_read,
    "search": search,
    "write": write,
    "edit": edit,
    "delete": delete,
}
