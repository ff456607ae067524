"""Bytes that are no request: nothing is stored, nothing breaks, and the answer says what is wrong."""

import httpx
import pytest

from sessions_app.models import Session
from sessions_app.process import Process
from tests.error_shape import assert_error
from tests.factories import make_session

MIB = 1024 * 1024
JSON = {"content-type": "application/json"}

BROKEN = [
    pytest.param(b"", id="empty"),
    pytest.param(b"   ", id="blank"),
    pytest.param(b"{", id="cut"),
    pytest.param(b"nonsense", id="words"),
    pytest.param(b'{"title":"x"} trailing', id="trailing"),
    pytest.param(b"\xff\xfe{}", id="invalid UTF-8"),
    pytest.param(b'{"title":"\xff"}', id="invalid UTF-8 in text"),
    pytest.param(b'{"title":"\\ud800"}', id="lone surrogate"),
    pytest.param(b'{"\\udfff":"x"}', id="lone surrogate in a key"),
    pytest.param(b'{"title":"a\\u0000b"}', id="NUL"),
    pytest.param(b'{"labels":{"a\\u0000":"b"}}', id="NUL in a label"),
    pytest.param(b'{"title":NaN}', id="NaN"),
    pytest.param(b"null", id="null"),
    pytest.param(b'"text"', id="text"),
    pytest.param(b"[" * 5000 + b"]" * 5000, id="deep"),
    pytest.param(b'{"a":' * 5000 + b"1" + b"}" * 5000, id="deep objects"),
]


@pytest.fixture
async def session(process: Process) -> Session:
    return await process.pool.run(make_session, title="before")


@pytest.mark.parametrize("raw", BROKEN)
async def test_a_broken_create_stores_nothing(http: httpx.AsyncClient, process: Process, raw: bytes) -> None:
    answer = await http.post("/v1/sessions", content=raw, headers=JSON)

    body = assert_error(answer, 422, "invalid_input")
    assert isinstance(body["detail"], list)
    assert await process.pool.run(Session.objects.count) == 0


@pytest.mark.parametrize("raw", BROKEN)
async def test_a_broken_patch_changes_nothing(http: httpx.AsyncClient, session: Session, raw: bytes) -> None:
    url = f"/v1/sessions/{session.public_id}"

    assert_error(await http.patch(url, content=raw, headers=JSON), 422, "invalid_input")

    assert (await http.get(url)).json()["title"] == "before"


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
async def test_a_body_over_the_cap_is_refused(http: httpx.AsyncClient, session: Session, method: str) -> None:
    url = "/v1/sessions" if method == "POST" else f"/v1/sessions/{session.public_id}"
    raw = b'{"title":"' + b"x" * (11 * MIB) + b'"}'

    answer = await http.request(method, url, content=raw, headers=JSON)

    body = assert_error(answer, 400, "invalid_input")
    assert isinstance(body["detail"], str)
    assert (await http.get(f"/v1/sessions/{session.public_id}")).json()["title"] == "before"


async def test_ten_mib_of_labels_are_still_a_request(http: httpx.AsyncClient, session: Session) -> None:
    answer = await http.patch(f"/v1/sessions/{session.public_id}", json={"labels": {"big": "x" * (9 * MIB)}})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/v1/sessions", "/v1/sessions/{id}", "/v1/sessions/{id}/items", "/v1/sessions/{id}/child_sessions"],
)
@pytest.mark.parametrize(
    "query", ["limit=%ff", "after=%00", "limit=1&limit=x", "order=%ed%a0%80", "&&&=&a", "after="]
)
async def test_odd_query_strings_never_break_a_read(
    http: httpx.AsyncClient, session: Session, path: str, query: str
) -> None:
    answer = await http.get(f"{path.format(id=session.public_id)}?{query}")

    assert answer.status_code < 500


@pytest.mark.parametrize("headers", [{"host": "evil.example"}, {"origin": "https://evil.example"}])
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
async def test_foreign_hosts_and_origins_are_refused(
    http: httpx.AsyncClient, session: Session, method: str, headers: dict[str, str]
) -> None:
    answer = await http.request(method, f"/v1/sessions/{session.public_id}", headers=headers)

    assert answer.status_code in (400, 403)
    assert (await http.get(f"/v1/sessions/{session.public_id}")).status_code == 200


async def test_the_clients_own_origin_is_welcome(http: httpx.AsyncClient, session: Session) -> None:
    for origin in ("omnigent://internal", "http://127.0.0.1:6767"):
        answer = await http.patch(
            f"/v1/sessions/{session.public_id}", json={"title": origin}, headers={"origin": origin}
        )
        assert answer.status_code == 200
