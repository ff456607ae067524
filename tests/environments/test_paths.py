"""Paths into a workspace are checked before any runner or host is asked."""

import pytest

from omnigent.accounts.gate import Gate
from sessions_app.models import Session
from tests.environments.workspace import SECRET, Workspace, address, ask

WRITTEN = b'{"content":"x"}'
EDITED = b'{"old_text":"a","new_text":"b"}'
ROUTES = {
    "read": ("GET", "/filesystem/{path}", b""),
    "download": ("GET", "/filesystem/{path}?download=true", b""),
    "search": ("GET", "/search/{path}?q=a", b""),
    "diff": ("GET", "/diff/{path}", b""),
    "write": ("PUT", "/filesystem/{path}", WRITTEN),
    "edit": ("PATCH", "/filesystem/{path}", EDITED),
    "delete": ("DELETE", "/filesystem/{path}?recursive=true", b""),
}
BAD = {
    "parent": "../secret.env",
    "parent inside": "a/../../secret.env",
    "parent at the end": "a/..",
    "encoded": "%2e%2e/secret.env",
    "half encoded": ".%2E/secret.env",
    "encoded slash": "..%2fsecret.env",
    "twice encoded": "%252e%252e/secret.env",
    "twice encoded slash": "..%252fsecret.env",
    "encoded over and over": "%2525252525252525252525252e./a",
    "NUL": "a%00.txt",
    "not UTF-8": "a%ff.txt",
    "a surrogate": "a%ed%a0%80.txt",
    "overlong dots": "%c0%ae%c0%ae/secret.env",
    "too long": "a/" * 3000,
    "absolute parent": "/etc/../etc/passwd",
}
GOOD = {
    "plain": ("src/a.txt", "src/a.txt"),
    "backslash": ("..%5Ca.txt", "..%5Ca.txt"),
    "dots in a name": ("a..b/...", "a..b/..."),
    "percent": ("100%25.txt", "100%25.txt"),
    "encoded percent": ("a%2520b", "a%2520b"),
    "question": ("a%3Fb%23c", "a%3Fb%23c"),
    "newline": ("a%0Ab", "a%0Ab"),
    "umlaut": ("%C3%A4.txt", "%C3%A4.txt"),
    "semicolons": ("a;b=c&d", "a%3Bb%3Dc%26d"),
    "emoji": ("%F0%9F%92%A9", "%F0%9F%92%A9"),
    "longest": ("a" * 4096, "a" * 4096),
    "absolute": ("/etc/hosts", "%2Fetc/hosts"),
    "encoded absolute": ("%2Fetc/hosts", "%2Fetc/hosts"),
    "many slashes": ("%2F%2F/etc/hosts", "%2Fetc/hosts"),
}


@pytest.mark.parametrize("route", ROUTES.values(), ids=ROUTES.keys())
async def test_a_bad_path_is_refused_and_nobody_is_asked(
    app: Gate, workspace: Workspace, session: Session, route: tuple[str, str, bytes]
) -> None:
    method, end, body = route
    taken = {}

    for name, path in BAD.items():
        reply = await ask(app, method, address(session, end.format(path=path)), body)
        if (reply.status, reply.json["error"]["code"]) != (400, "invalid_input") or SECRET in reply.body:
            taken[name] = reply.body

    assert taken == {}
    assert workspace.asked == []


async def test_a_good_path_comes_to_the_runner_as_it_was_meant(
    app: Gate, workspace: Workspace, session: Session
) -> None:
    for sent, _ in GOOD.values():
        assert (await ask(app, "GET", address(session, f"/diff/{sent}"))).status == 200

    passed = dict(zip(GOOD, workspace.lines, strict=True))
    assert passed == {name: f"GET {address(session)}/diff/{to}" for name, (_, to) in GOOD.items()}


@pytest.mark.parametrize("end", ["", "/filesystem", "/changes", "/search?q=a"])
async def test_what_is_no_environment_is_refused(
    app: Gate, workspace: Workspace, session: Session, end: str
) -> None:
    names = {"..": 400, "%2e%2e": 400, "%252e%252e": 400, "a%00": 400, "a%20b": 404, "x" * 201: 404}

    found = {name: (await ask(app, "GET", address(session, end, name))).status for name in names}

    assert found == names
    assert workspace.asked == []


async def test_a_cursor_is_a_path_too(app: Gate, workspace: Workspace, session: Session) -> None:
    for cursor in ("after=../x", "before=%2e%2e/x", "after=%252e%252e"):
        assert (await ask(app, "GET", address(session, f"/filesystem?{cursor}"))).status == 400

    assert workspace.asked == []


async def test_the_base_makes_a_path_absolute(app: Gate, workspace: Workspace, session: Session) -> None:
    passed = {
        "/filesystem/etc/hosts?base=host": "/filesystem/%2Fetc/hosts",
        "/filesystem?base=host": "/filesystem/%2F",
        "/search/etc?base=host&q=a": "/search/%2Fetc",
    }

    for end in passed:
        assert (await ask(app, "GET", address(session, end))).status == 200

    came = [line.partition("?")[0] for line in workspace.lines]
    assert came == [f"GET {address(session)}{end}" for end in passed.values()]
