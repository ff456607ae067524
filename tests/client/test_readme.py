"""The examples of the client's README run as they stand, against a live server."""

import ast
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

import omnigent_client
from tests.e2e.stack import Stack

README = (Path(__file__).parents[2] / "omnigent_client/README.md").read_text()
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
ADDRESS = "http://localhost:6767"


@pytest.mark.e2e
@pytest.mark.timeout(120)
async def test_the_examples_run_from_top_to_bottom(
    live_stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    program = "\n".join(EXAMPLES).replace(ADDRESS, live_stack.url)
    names: dict[str, Any] = {}

    code = compile(program, "README.md", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    await eval(code, names)

    shown = capsys.readouterr().out
    assert len(EXAMPLES) >= 9
    assert shown.count("1 2 3") >= 2
    assert "message user Count to 3" in shown
    assert "1 2 3 4 5" in shown
    assert "echo allowed" in shown and "\nallowed" in shown
    assert "You said: How is the weather in Oslo?" in shown
    assert "not_found 404 Session not found" in shown
    assert "no more paper" in shown


def test_every_name_that_the_readme_mentions_exists() -> None:
    mentioned = set(re.findall(r"`([A-Z]\w+)", README)) - {"Idempotency", "Last", "True", "False", "None"}
    known = set(omnigent_client.__all__) | {
        name
        for module in (omnigent_client.events.session, omnigent_client.events.response)
        for name, _ in inspect.getmembers(module, inspect.isclass)
    }

    assert mentioned
    assert {name for name in mentioned if name not in known and not name.startswith("Retry")} == set()


def test_every_error_that_the_package_shows_is_an_omnigent_error() -> None:
    shown = [getattr(omnigent_client, name) for name in omnigent_client.__all__]
    raised = [value for value in shown if inspect.isclass(value) and issubclass(value, Exception)]

    assert raised
    assert all(issubclass(value, omnigent_client.OmnigentError) for value in raised)
