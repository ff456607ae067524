"""Describes or calls functions that an agent brings, in a process that may hang, flood, fork and crash.

Run as a script, with the standard library and what the functions import. A request is one JSON object on
standard input; the answer is one on standard output. A parent outlives the function and ends what it left.
"""

import asyncio
import contextlib
import ctypes
import importlib
import importlib.util
import inspect
import json
import os
import resource
import signal
import sys
import traceback
import types
import typing
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]

MOST_TEXT = 1024 * 1024
MOST_FAULT = 4 * 1024
MOST_MEMORY = 4 * 1024**3
MORE_PROCESSES = 256
SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of Linux
JSON_TYPES = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    list: "array",
    tuple: "array",
    set: "array",
    dict: "object",
}


# -- what a function takes -------------------------------------------------------------------------------


def schema_of(function: Callable[..., Any]) -> Json:
    """The JSON schema of its parameters; those that take any number of arguments are left out."""
    try:
        hints = typing.get_type_hints(function, include_extras=True)
    except Exception:  # noqa: BLE001 - an annotation may be any expression of the author
        hints = {}
    properties: Json = {}
    required: list[str] = []
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            continue
        properties[name] = type_of(hints.get(name, parameter.annotation))
        if parameter.default is parameter.empty:
            required.append(name)
        elif isinstance(parameter.default, (str, int, float, bool)):
            properties[name]["default"] = parameter.default
    schema: Json = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": required} if required else schema


def type_of(annotation: Any) -> Json:
    """The schema of one annotation; what is not known is text."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        words = next((word for word in inner[1:] if isinstance(word, str)), None)
        return {**type_of(inner[0]), **({"description": words} if words else {})}
    if origin is typing.Literal:
        kinds = {JSON_TYPES.get(type(value), "string") for value in inner}
        return {"enum": list(inner), **({"type": kinds.pop()} if len(kinds) == 1 else {})}
    if origin in {typing.Union, types.UnionType}:
        choices = [choice for choice in inner if choice is not type(None)]
        return nullable([type_of(choice) for choice in choices], may_be_null=len(choices) < len(inner))
    kind = JSON_TYPES.get(origin or annotation, "string")
    return {"type": kind, "items": type_of(inner[0])} if kind == "array" and inner else {"type": kind}


def nullable(choices: list[Json], *, may_be_null: bool) -> Json:
    """One of some schemas, or null."""
    if (
        may_be_null
        and len(choices) == 1
        and isinstance(choices[0].get("type"), str)
        and "enum" not in choices[0]
    ):
        return {**choices[0], "type": [choices[0]["type"], "null"]}
    choices = [*choices, {"type": "null"}] if may_be_null else choices
    return choices[0] if len(choices) == 1 else {"anyOf": choices}


# -- where a function is ---------------------------------------------------------------------------------


def loaded(path: str) -> types.ModuleType:
    """The module in a file."""
    spec = importlib.util.spec_from_file_location(f"tool_{Path(path).stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def resolved(target: Json) -> Any:
    """The function that a target names: `{callable}`, or `{file, function}`."""
    if "file" in target:
        return getattr(loaded(target["file"]), target["function"])
    parts = target["callable"].replace(":", ".").split(".")
    for count in range(len(parts) - 1, 0, -1):
        name = ".".join(parts[:count])
        try:
            found: Any = importlib.import_module(name)
        except ModuleNotFoundError as exc:
            if exc.name is not None and (name == exc.name or name.startswith(f"{exc.name}.")):
                continue
            raise
        for part in parts[count:]:
            found = getattr(found, part)
        return found
    raise ModuleNotFoundError(f"no module of {target['callable']!r} can be found")


def functions_of(path: str) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The public functions that a file itself defines, or those that its `__all__` names."""
    module = loaded(path)
    named = getattr(module, "__all__", None)
    for name, value in vars(module).items():
        if not inspect.isfunction(value) or (
            name not in named if named is not None else name.startswith("_")
        ):
            continue
        if named is not None or value.__module__ == module.__name__:
            yield name, value


def described(name: str, function: Callable[..., Any]) -> Json:
    """A tool's name, description and parameters."""
    return {"name": name, "description": inspect.getdoc(function) or "", "parameters": schema_of(function)}


# -- the two requests ------------------------------------------------------------------------------------


def describe(request: Json) -> Json:
    """`{functions, faults}`: one broken module does not hide the others."""
    found: list[Json] = []
    faults: dict[str, str] = {}
    for target in request["targets"]:
        try:
            if "file" in target:
                tools = [described(name, function) for name, function in functions_of(target["file"])]
                found += [{**tool, "file": target["file"], "function": tool["name"]} for tool in tools]
            else:
                found.append({**described(target["name"], resolved(target)), "callable": target["callable"]})
        except BaseException as exc:  # noqa: BLE001 - foreign code may raise anything, also SystemExit
            traceback.print_exc()
            faults[target["name"]] = words_of(exc)
    return {"functions": found, "faults": faults}


def call(request: Json) -> Json:
    """`{output}` or `{error}`."""
    try:
        function = resolved(request["target"])
        positional = [
            request["arguments"].pop(name)
            for name, parameter in inspect.signature(function).parameters.items()
            if parameter.kind is parameter.POSITIONAL_ONLY and name in request["arguments"]
        ]
        result = function(*positional, **request["arguments"])
        if inspect.isawaitable(result):
            result = asyncio.run(awaited(result))
        return {"output": text_of(result)}
    except BaseException as exc:  # noqa: BLE001 - foreign code may raise anything, also SystemExit
        traceback.print_exc()
        return {"error": words_of(exc)}


async def awaited(result: Awaitable[Any]) -> Any:
    """Whatever can be awaited, as a coroutine."""
    return await result


def text_of(result: Any) -> str:
    """A result as text: what is no text as JSON."""
    if isinstance(result, (bytes, bytearray, memoryview)):
        return f"[binary: {len(result)} bytes]"
    text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False, default=str)
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}\n[cut: {len(text)} characters in all]"


def words_of(exc: BaseException) -> str:
    """An exception in one line."""
    return f"{type(exc).__name__}: {exc}"[:MOST_FAULT]


# -- the process and its parent --------------------------------------------------------------------------


def limit() -> None:
    """Bounds that the kernel keeps; root is bound by the time-out alone."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    lower(resource.RLIMIT_DATA, MOST_MEMORY)
    lower(resource.RLIMIT_NPROC, tasks_of(os.getuid()) + MORE_PROCESSES)


def lower(kind: int, value: int) -> None:
    """A lower soft and hard limit."""
    hard = resource.getrlimit(kind)[1]
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (value, value))


def tasks_of(user: int) -> int:
    """How many threads this user has."""
    count = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if process.stat().st_uid == user:
                count += len(os.listdir(process / "task"))
    return count


def children_of(pid: int) -> list[int]:
    """Direct children of a process."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            if int((process / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(process.name))
    return found


def sweep() -> None:
    """Kill all that descends from here: what is orphaned becomes a child of this process."""
    while True:
        waiting = [os.getpid()]
        while waiting:
            for child in children_of(waiting.pop()):
                waiting.append(child)
                with contextlib.suppress(OSError):
                    os.kill(child, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def work(request: Json, answer: int) -> None:
    """In the child: answer the request."""
    limit()
    sys.path[0:0] = request["path"]
    reply = describe(request) if request["do"] == "describe" else call(request)
    data = json.dumps(reply).encode()
    while data:
        data = data[os.write(answer, data) :]


def ended(number: int, frame: types.FrameType | None) -> None:
    """Told to end: nothing stays behind."""
    sweep()
    os._exit(128 + number)


def main() -> None:
    """In the parent: fork, wait, sweep."""
    request = json.loads(sys.stdin.buffer.read())
    answer = os.dup(1)
    os.dup2(2, 1)
    signal.signal(signal.SIGTERM, ended)
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        try:
            work(request, answer)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(0)
    os.close(answer)
    _, status = os.waitpid(child, 0)
    sweep()
    os._exit(os.waitstatus_to_exitcode(status) % 256)


if __name__ == "__main__":
    main()
