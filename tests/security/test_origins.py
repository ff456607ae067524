"""Which pages may open a WebSocket: those of this server. Programs send none, or one no page has."""

import pytest
from pytest_django import Settings

from omnigent.accounts.gate import Gate
from omnigent.protocol.frames import ORIGIN as SENTINEL
from sessions_app.process import Process
from tests.accounts.people import bearer, make_person, token_for
from tests.contract.calling import handshake
from tests.factories import make_runner, make_session
from tests.security.people import BINDING, HOST, RUNNER, TOKEN_HEADER

OWN = "http://127.0.0.1:6767"
PERMITTED = (None, OWN, "https://127.0.0.1:6767", SENTINEL)
FOREIGN = (
    *(
        "null",
        "",
        "https://evil.example",
        "http://127.0.0.1:9999",
        "http://localhost:6767",
        "http://127.0.0.1",
    ),
    *("http://127.0.0.1:6767.evil.example", "http://evil@127.0.0.1:6767", "omnigent://evil", "file://"),
    *("omnigent://internal.evil.example", "OMNIGENT://INTERNAL", f"{OWN}/", f"{OWN}, https://evil.example"),
    "chrome-extension://abcdefghijklmnop",
)
DOORS = {
    "runner tunnel": f"/v1/runners/{RUNNER}/tunnel",
    "host tunnel": f"/v1/hosts/{HOST}/tunnel",
    "attach": "/v1/sessions/{session_id}/resources/terminals/terminal_1/attach",
    "attach read-only": "/v1/sessions/{session_id}/resources/terminals/terminal_1/attach?read_only=true",
    "updates": "/v1/sessions/updates",
}
MESSAGE = b"Origin not allowed"


@pytest.mark.parametrize("mode", ["single-user", "accounts", "header"])
@pytest.mark.parametrize("door", list(DOORS))
async def test_a_socket_is_opened_by_programs_and_by_our_own_pages_only(
    process: Process, app: Gate, settings: Settings, mode: str, door: str
) -> None:
    def prepare() -> tuple[str, str]:
        secret = token_for(make_person("olga"))
        make_runner(BINDING, owner="olga", online=False)
        return secret, make_session(owner="olga", runner_id="runner_that_is_away").public_id

    secret, session_id = await process.pool.run(prepare)
    settings.OMNIGENT_AUTH_MODE = mode
    settings.OMNIGENT_TRUSTED_PROXIES = ("10.1.0.0/16",)
    path = DOORS[door].replace("{session_id}", session_id)
    token = {TOKEN_HEADER: BINDING} if door == "runner tunnel" else {}
    headers = {**token, **({} if mode == "single-user" else bearer(secret))}

    wrong = []
    for origin in (*PERMITTED, *FOREIGN):
        shown = {} if origin is None else {"Origin": origin}
        reply = await handshake(app, path, headers={**headers, **shown})
        is_let_in = reply.status in (101, 503)  # the runner whose terminal it is is away
        is_refused = reply.status == 403 and MESSAGE in reply.content
        if not (is_let_in if origin in PERMITTED else is_refused):
            wrong.append(f"{origin!r}: {reply.status} {reply.content!r}")

    assert not wrong, "\n".join(wrong)
