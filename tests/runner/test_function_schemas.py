"""Which functions of an agent become tools, and what a model is told that they take."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from omnigent.spec.tooling import FunctionTool, ToolSandbox
from tests.runner.function_rig import Opener, sessions


@pytest.fixture
async def open_session(tmp_path: Path) -> AsyncIterator[Opener]:
    async with sessions(tmp_path) as opened:
        yield opened


@pytest.mark.parametrize(
    ("signature", "properties", "required"),
    [
        ("", {}, None),
        ("a", {"a": {"type": "string"}}, ["a"]),
        ("a: str, b: int", {"a": {"type": "string"}, "b": {"type": "integer"}}, ["a", "b"]),
        ("a: float, b: bool", {"a": {"type": "number"}, "b": {"type": "boolean"}}, ["a", "b"]),
        ("a: list, b: dict", {"a": {"type": "array"}, "b": {"type": "object"}}, ["a", "b"]),
        ("a: list[int]", {"a": {"type": "array", "items": {"type": "integer"}}}, ["a"]),
        ("a: dict[str, int]", {"a": {"type": "object"}}, ["a"]),
        ("a: int = 3", {"a": {"type": "integer", "default": 3}}, None),
        ("a: int | None = None", {"a": {"type": ["integer", "null"]}}, None),
        ("a: Optional[str]", {"a": {"type": ["string", "null"]}}, ["a"]),
        ("a: int | str", {"a": {"anyOf": [{"type": "integer"}, {"type": "string"}]}}, ["a"]),
        ("a: Literal['x', 'y']", {"a": {"enum": ["x", "y"], "type": "string"}}, ["a"]),
        ("a: Annotated[int, 'how many']", {"a": {"type": "integer", "description": "how many"}}, ["a"]),
        ("a: 'int'", {"a": {"type": "integer"}}, ["a"]),
        ("a: Path", {"a": {"type": "string"}}, ["a"]),
        ("a: 'NoSuchName'", {"a": {"type": "string"}}, ["a"]),
        ("*args, **kw", {}, None),
        (
            "a: int, *args: int, b: str = 'x', **kw: int",
            {"a": {"type": "integer"}, "b": {"type": "string", "default": "x"}},
            ["a"],
        ),
        ("a: int, /, *, b: int", {"a": {"type": "integer"}, "b": {"type": "integer"}}, ["a", "b"]),
    ],
    ids=[
        "nothing", "no annotation", "text and integer", "number and boolean", "array and object", "array of",
        "object of", "default", "or null", "optional", "one of two", "literal", "annotated", "in quotes",
        "unknown class", "unknown name", "any number", "any number among others", "by position and by name",
    ],
)  # fmt: skip
async def test_a_schema_comes_from_the_signature(
    open_session: Opener, signature: str, properties: dict[str, Any], required: list[str] | None
) -> None:
    code = f"""
        from pathlib import Path
        from typing import Annotated, Literal, Optional
        def tool({signature}):
            '''What it does.'''
    """
    schema = await open_session(code).schema("tool")

    expected: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    assert schema == (expected | {"required": required} if required else expected)


async def test_public_functions_of_a_file_are_tools(open_session: Opener) -> None:
    code = """
        from os.path import join
        import json
        LIMIT = 3
        class Thing: pass
        def one():
            "The first."
        async def two(): pass
        def _hidden(): pass
    """
    functions = await open_session(code).functions()

    assert {name: tool.schema.description for name, tool in functions.tools.items()} == {
        "one": "The first.",
        "two": "",
    }


async def test_all_names_the_tools_of_a_file(open_session: Opener) -> None:
    functions = await open_session("__all__ = ['one']\ndef one(): pass\ndef two(): pass").functions()

    assert list(functions.tools) == ["one"]


async def test_a_dotted_path_names_a_function_of_a_package_or_of_the_bundle(open_session: Opener) -> None:
    declared = (
        FunctionTool(
            name="join", callable="os.path.join", description="Join.", parameters={"type": "object"}
        ),
        FunctionTool(name="factorial", callable="math.factorial"),
        FunctionTool(name="own", callable="mine.Box.double"),
        FunctionTool(name="colon", callable="mine:Box.double"),
    )
    code = """
        __all__ = []
        class Box:
            @staticmethod
            def double(number: int) -> int: return 2 * number
    """
    mine = open_session(code, function_tools=declared)
    functions = await mine.functions()

    assert functions.tools["join"].schema.description == "Join."
    assert await mine.call("own", number=4) == "8"
    assert await mine.call("colon", number=5) == "10"
    assert functions.faults == {}


async def test_a_broken_module_does_not_hide_the_others(open_session: Opener) -> None:
    declared = (
        FunctionTool(name="missing", callable="no_such_module.function"),
        FunctionTool(name="absent", callable="mine.absent"),
        FunctionTool(name="exits", callable="exits.now"),
    )
    functions = await open_session("def good(): pass", function_tools=declared).functions()

    assert list(functions.tools) == ["good"]
    assert functions.faults["missing"].startswith("ModuleNotFoundError")
    assert functions.faults["absent"].startswith("AttributeError")
    assert functions.faults["exits"].startswith("ModuleNotFoundError")


async def test_a_module_that_ends_the_process_is_told(open_session: Opener) -> None:
    functions = await open_session("import os\nos._exit(5)").functions()

    assert functions.tools == {}
    assert "exit code 5" in functions.faults["functions"]


async def test_functions_that_ask_for_a_container_are_not_run_without_one(open_session: Opener) -> None:
    functions = await open_session("def one(): pass", tool_sandbox=ToolSandbox(image="python")).functions()

    assert functions.tools == {}
    assert "container" in functions.faults["functions"]
