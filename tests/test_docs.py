"""What exists is documented: routes, settings, events and make targets."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from omnigent.protocol.events import EVENT_TYPES

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ("omnigent", "agents_app", "policies_app", "sessions_app")
SETTING = re.compile(r"OMNIGENT_[A-Z][A-Z_]*[A-Z]")
UNDOCUMENTED = ("admin/", "internal/", "static/", "__debug__/")


def routes(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    """Every path of the URLconf in the form of the documentation: /v1/sessions/{session_id}."""
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, path)
        elif not path.startswith(UNDOCUMENTED) and "(" not in path.replace("(?P<", ""):
            named = re.sub(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>[^)]*\)", r"{\1\2}", path)
            yield "/" + named.strip("^$").replace("\\Z", "").replace("\\", "")


def read(*names: str) -> str:
    """Documents, joined."""
    return "\n".join((ROOT / name).read_text() for name in names)


@pytest.mark.parametrize("route", sorted(set(routes(get_resolver().url_patterns))))
def test_every_route_is_documented(route: str) -> None:
    documented = {re.sub(r"\{\w+\}", "{}", path) for path in re.findall(r"/[\w./{}:-]*", read("docs/api.md"))}

    assert re.sub(r"\{\w+\}", "{}", route) in documented


def settings_in_the_source() -> list[str]:
    """Names of environment variables that the product mentions."""
    names = set()
    for package in PRODUCT:
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                value = node.value if isinstance(node, ast.Constant) else None
                if isinstance(value, str) and SETTING.fullmatch(value):
                    names.add(value)
    return sorted(names)


@pytest.mark.parametrize("name", settings_in_the_source())
def test_every_setting_is_documented(name: str) -> None:
    assert f"`{name}`" in read("docs/operations.md")


def test_no_document_names_a_setting_that_is_gone() -> None:
    known = set(settings_in_the_source()) | {"OMNIGENT_BAD_VALUES"}
    named = set(SETTING.findall(read("README.md", "docs/operations.md", "docs/architecture.md")))

    assert named <= known


@pytest.mark.parametrize("event", sorted(EVENT_TYPES))
def test_every_event_is_documented(event: str) -> None:
    assert f"`{event}`" in read("docs/events.md")


def test_every_make_target_says_what_it_does() -> None:
    lines = read("Makefile").splitlines()
    targets = [line for line in lines if re.match(r"^[a-z][a-z-]*:", line)]
    silent = [line for line in targets if "## " not in line and not line.startswith("setup-dev:")]

    assert targets
    assert not silent


def test_links_between_documents_lead_somewhere() -> None:
    broken = []
    for document in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
            if not (document.parent / target).exists():
                broken.append(f"{document.name}: {target}")

    assert not broken
