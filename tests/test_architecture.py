"""The house rules that a machine can check: floors, sizes, names, and no Django in the core."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.test_parts import PARTS

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ("omnigent", "agents_app", "policies_app", "sessions_app")
OURS = (*PRODUCT, "tests", "scripts", "bench")
CORE = ("errors", "ids", "protocol", "spec", "policies", "link", "runner", "host", "workspace")
MODULE_LINES, TEST_LINES, FUNCTION_LINES = 300, 500, 50
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "shared", "stuff", "core"}
MUTATORS = {"append", "add", "update", "pop", "setdefault", "clear", "extend", "remove", "discard", "insert"}
CONTAINERS = {"dict", "list", "set", "defaultdict", "deque", "OrderedDict", "Counter", "WeakSet"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules(*packages: str) -> list[Path]:
    """The source files of these packages; migrations are Django's."""
    return [
        path
        for package in packages
        for path in sorted((ROOT / package).rglob("*.py"))
        if "migrations" not in path.parts
    ]


def parsed(*packages: str) -> Iterator[tuple[str, ast.Module]]:
    """Every module with its path from the root."""
    for path in modules(*packages):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def functions(tree: ast.AST) -> Iterator[Function]:
    """Every function and method."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def test_every_import_respects_the_floors() -> None:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_modules_and_functions_keep_their_size() -> None:
    too_big = []
    for name, tree in parsed(*OURS):
        lines = (ROOT / name).read_text().count("\n")
        limit = TEST_LINES if name.startswith("tests/") else MODULE_LINES
        if lines > limit:
            too_big.append(f"{name}: {lines} lines")
        for function in functions(tree):
            size = (function.end_lineno or function.lineno) - function.lineno + 1
            if size > FUNCTION_LINES:
                too_big.append(f"{name}:{function.lineno} {function.name}: {size} lines")

    assert not too_big


def test_no_module_takes_a_private_name_of_another() -> None:
    taken = []
    for name, tree in parsed(*OURS):
        ours: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in OURS:
                for alias in node.names:
                    ours.add(alias.asname or alias.name)
                    if is_private(alias.name):
                        taken.append(f"{name}:{node.lineno} {node.module}.{alias.name}")
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and is_private(node.attr):
                owner = node.value
                # A lower-case imported name is a module or a function; a class may lend a protected method.
                if isinstance(owner, ast.Name) and owner.id in ours and owner.id.islower():
                    taken.append(f"{name}:{node.lineno} {owner.id}.{node.attr}")

    assert not taken


def is_private(name: str) -> bool:
    """Whether a name begins with an underscore and is not one of Python's own."""
    return name.startswith("_") and not name.startswith("__")


def test_the_core_runs_without_django() -> None:
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for part in CORE
        for path in modules(f"omnigent/{part}") or [ROOT / "omnigent" / f"{part}.py"]
    ]
    code = (
        "import importlib, sys\n"
        f"for name in {names!r}: importlib.import_module(name)\n"
        "found = {'django', 'rest_framework', 'channels', 'twisted'} & set(sys.modules)\n"
        "sys.exit(', '.join(sorted(found)) or 0)"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_the_product_never_prints() -> None:
    printing = [
        f"{name}:{node.lineno}"
        for name, tree in parsed(*PRODUCT)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]

    assert not printing


def test_no_module_is_a_drawer() -> None:
    drawers = [
        str(path.relative_to(ROOT))
        for path in modules(*OURS)
        if (path.parent.name if path.stem == "__init__" else path.stem).split("_")[-1] in DRAWERS
    ]

    assert not drawers


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        name
        for name, tree in parsed(*OURS)
        if tree.body and not ast.get_docstring(tree) and not name.endswith("__init__.py")
    ]

    assert not silent


def test_no_module_keeps_state() -> None:
    kept = [
        f"{name}:{line} {variable}"
        for name, tree in parsed(*PRODUCT)
        for line, variable in changed_globals(tree)
    ]

    assert not kept


def changed_globals(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Module-level containers that a function changes, and every `global` statement."""
    containers = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign) and is_container(node.value)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for function in functions(tree):
        local = {
            node.id
            for node in ast.walk(function)
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
        }
        for node in ast.walk(function):
            if isinstance(node, ast.Global):
                yield node.lineno, ", ".join(node.names)
            owner = changed(node)
            if isinstance(owner, ast.Name) and owner.id in containers - local:
                yield owner.lineno, owner.id


def is_container(value: ast.expr | None) -> bool:
    """Whether an expression builds something mutable."""
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        return value.func.id in CONTAINERS
    return isinstance(value, ast.Dict | ast.List | ast.Set | ast.DictComp | ast.ListComp | ast.SetComp)


def changed(node: ast.AST) -> ast.expr | None:
    """What this node changes in place, if anything."""
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
        return node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
        return node.func.value
    return None


@pytest.mark.parametrize("word", ["setattr", "setitem", "delattr"])
def test_no_test_patches_our_names(word: str) -> None:
    patched = [
        f"{name}:{node.lineno}"
        for name, tree in parsed("tests")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr == word
        and isinstance(node.value, ast.Name)
        and node.value.id == "monkeypatch"
    ]

    assert not patched


def test_no_test_mocks() -> None:
    mocking = [
        f"{name}:{node.lineno}"
        for name, tree in parsed("tests")
        for node in ast.walk(tree)
        if (isinstance(node, ast.ImportFrom) and (node.module or "").startswith("unittest.mock"))
        or (isinstance(node, ast.Import) and any(alias.name == "unittest.mock" for alias in node.names))
    ]

    assert not mocking


def test_the_tests_of_a_part_are_where_it_looks_for_them() -> None:
    marks = {"e2e": "e2e", "cluster": "cluster", "terminal": "terminal", "browser": "browser"}
    marks |= {name: name for name in ("chaos", "interop", "engines", "sandbox")}
    places = {part.name: part.paths for part in PARTS if part.paths}

    strays = [
        f"{path.relative_to(ROOT)}: {mark}"
        for path in modules("tests")
        for mark, part in marks.items()
        if f"mark.{mark}\n" in path.read_text() or f"mark.{mark}," in path.read_text()
        if not str(path.relative_to(ROOT)).startswith(tuple(f"{place}/" for place in places[part]))
    ]

    assert strays == []


def test_what_needs_an_engine_says_so() -> None:
    words = re.compile(r"skipif\(located|importorskip")
    needing = [path for path in modules("tests/engines") if words.search(path.read_text())]

    assert needing
    assert [path.name for path in needing if "mark.engines" not in path.read_text()] == []
