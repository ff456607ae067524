"""The page of a session's files: who gets it, as they get the session's own page, and what stands in it."""

import re
from typing import Any

import httpx
import pytest
from pytest_django import Settings

from omnigent.accounts.models import User
from sessions_app.models import Grant, Session
from sessions_app.process import Process
from tests.accounts.people import client_at, log_in, make_person
from tests.factories import make_session

TITLE = "</title><script>alert(1)</script>"


@pytest.fixture
async def session(process: Process) -> Session:
    """Olga's session, which Rita may read and Sven may not."""

    def make() -> Session:
        people: dict[str, User] = {name: make_person(name) for name in ("olga", "rita", "sven")}
        session = make_session(owner="olga", title=TITLE, workspace='/w/"<b>')
        Grant.objects.create(session=session, user_id=people["rita"].username, level=1)
        return session

    return await process.pool.run(make)


async def test_the_page_names_the_session_and_leads_back_to_it(
    http: httpx.AsyncClient, session: Session
) -> None:
    answer = await http.get(f"/c/{session.public_id}/files")

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    assert f'href="/c/{session.public_id}"' in answer.text
    assert f'data-session="{session.public_id}"' in answer.text
    assert re.search(r'data-after="\d+"', answer.text)
    assert "<noscript>" in answer.text and "needs JavaScript" in answer.text


async def test_names_in_it_are_text_and_no_script_or_style_stands_in_it(
    http: httpx.AsyncClient, session: Session
) -> None:
    shown = (await http.get(f"/c/{session.public_id}/files")).text

    assert TITLE not in shown and "&lt;script&gt;alert(1)" in shown
    assert "/w/&quot;&lt;b&gt;" in shown
    assert re.findall(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", shown) == []


async def test_the_session_page_leads_to_it(http: httpx.AsyncClient, session: Session) -> None:
    shown = (await http.get(f"/c/{session.public_id}")).text

    assert f'href="/c/{session.public_id}/files"' in shown


@pytest.mark.parametrize("session_id", ["conv_unknown", f"conv_{'0' * 32}", "x", "%00"])
async def test_of_a_session_that_is_not_there_it_is_404(http: httpx.AsyncClient, session_id: str) -> None:
    answer = await http.get(f"/c/{session_id}/files")

    assert answer.status_code == (await http.get(f"/c/{session_id}")).status_code == 404


@pytest.mark.parametrize(("name", "status"), [("olga", 200), ("rita", 200), ("sven", 404)])
async def test_whoever_may_read_the_session_gets_it(
    app: Any, accounts: Settings, session: Session, name: str, status: int
) -> None:
    async with client_at(app) as http:
        await log_in(http, name)

        files = await http.get(f"/c/{session.public_id}/files")
        whole = await http.get(f"/c/{session.public_id}")

    assert (files.status_code, whole.status_code) == (status, status)
    assert ("data-session" in files.text) == (status == 200)


async def test_without_a_login_it_leads_there(
    http: httpx.AsyncClient, accounts: Settings, session: Session
) -> None:
    answer = await http.get(f"/c/{session.public_id}/files?show=files&dir=src")

    wanted = f"/login?next=%2Fc%2F{session.public_id}%2Ffiles%3Fshow%3Dfiles%26dir%3Dsrc"
    assert (answer.status_code, answer.headers["location"]) == (302, wanted)
