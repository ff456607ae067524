"""Requests: idempotency keys, what is retried and what is not, errors, identity."""

import json
import time
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from omnigent.errors import STATUS, ErrorCode
from omnigent_client import (
    AlreadyExistsError,
    ApiError,
    ConflictError,
    ConnectionFailedError,
    ForbiddenError,
    GoneError,
    HarnessNotConfiguredError,
    HostOfflineError,
    IdempotencyInFlightError,
    IdempotencyMismatchError,
    InvalidAnswerError,
    InvalidInputError,
    NotFoundError,
    OmnigentClient,
    PayloadTooLargeError,
    RateLimitedError,
    RetryRules,
    RunnerUnavailableError,
    ServerError,
    ServiceUnavailableError,
    StaleCursorError,
    UnauthorizedError,
    UnsupportedMediaTypeError,
    ValidationError,
)
from tests.client.scripted_server import QUICK, ScriptedServer, good, refusal

SESSION = {"id": "conv_1", "agent_id": "ag_1", "status": "idle", "created_at": 1}
BROKEN = (
    httpx.ConnectError("refused"),
    httpx.ConnectTimeout("slow"),
    httpx.ReadError("reset"),
    httpx.ReadTimeout("silent"),
    httpx.RemoteProtocolError("closed"),
    httpx.WriteError("pipe"),
)
PASSING = (httpx.Response(502), httpx.Response(503), httpx.Response(504))
FINAL = (
    refusal(400, "invalid_input"),
    refusal(401, "unauthorized"),
    refusal(403, "forbidden"),
    refusal(404, "not_found"),
    refusal(409, "conflict", headers={"Retry-After": "1"}),
    refusal(422, "idempotency_mismatch"),
    refusal(429, "rate_limited", headers={"Retry-After": "1"}),
    refusal(500, "internal_error"),
    refusal(503, "runner_unavailable"),
    refusal(503, "host_offline"),
)


def name_of(answer: object) -> str:
    """A readable test id."""
    if isinstance(answer, httpx.Response):
        return f"{answer.status_code}-{answer.content[:40].decode(errors='replace')}"
    return type(answer).__name__


@pytest.mark.parametrize("trouble", [*BROKEN, *PASSING], ids=name_of)
async def test_a_write_is_repeated_under_the_same_key(trouble: httpx.Response | Exception) -> None:
    server = ScriptedServer(trouble, trouble, good(**SESSION))
    async with server.client() as client:
        await client.sessions.set_title("conv_1", "T")

    keys = server.headers("idempotency-key")
    assert len(keys) == 3
    assert keys[0] and len(set(keys)) == 1
    assert len({request.content for request in server.requests}) == 1


@pytest.mark.parametrize("trouble", FINAL, ids=name_of)
async def test_a_refusal_is_never_repeated(trouble: httpx.Response) -> None:
    server = ScriptedServer(trouble)
    async with server.client() as client:
        with pytest.raises(ApiError):
            await client.sessions.set_title("conv_1", "T")

    assert len(server.requests) == 1


async def test_every_write_has_a_key_of_its_own_and_a_read_has_none() -> None:
    server = ScriptedServer(good(**SESSION), good(**SESSION), good(**SESSION))
    async with server.client() as client:
        await client.sessions.set_title("conv_1", "T")
        await client.sessions.set_title("conv_1", "T")
        await client.sessions.get("conv_1")

    first, second, third = server.headers("idempotency-key")
    assert first and second and first != second
    assert third is None


async def test_a_callers_own_key_is_used() -> None:
    server = ScriptedServer(good(queued=True, item_id="item_1"))
    async with server.client() as client:
        await client.sessions.send_message("conv_1", "Hello", idempotency_key="mine-1")

    assert server.headers("idempotency-key") == ["mine-1"]
    assert "idempotency_key" not in server.requests[0].content.decode()


async def test_a_read_is_repeated_too() -> None:
    server = ScriptedServer(httpx.ReadError("reset"), good(**SESSION))
    async with server.client() as client:
        assert (await client.sessions.get("conv_1")).id == "conv_1"


async def test_an_upload_is_repeated_byte_for_byte() -> None:
    server = ScriptedServer(httpx.ReadError("reset"), good(session_id="conv_1", **SESSION))
    async with server.client() as client:
        await client.sessions.create(b"bundle", title="T")

    first, second = server.requests
    assert first.content == second.content
    assert first.headers["content-type"] == second.headers["content-type"]


async def test_a_broken_connection_is_given_up_after_the_last_attempt() -> None:
    server = ScriptedServer(*[httpx.ConnectError("refused")] * QUICK.attempts)
    async with server.client() as client:
        with pytest.raises(ConnectionFailedError, match=r"GET http://server\.test/v1/me: refused"):
            await client.server.me()

    assert len(server.requests) == QUICK.attempts


async def test_the_last_passing_failure_is_raised_as_what_it_is() -> None:
    server = ScriptedServer(*[httpx.Response(503, text="down for a minute")] * QUICK.attempts)
    async with server.client() as client:
        with pytest.raises(ServiceUnavailableError, match="HTTP 503"):
            await client.server.me()


async def test_an_attempt_under_way_is_asked_about_until_it_is_done() -> None:
    under_way = refusal(409, "idempotency_in_flight", headers={"Retry-After": "0"})
    server = ScriptedServer(httpx.ReadTimeout("silent"), *[under_way] * 20, good(**SESSION))
    async with server.client() as client:
        await client.sessions.set_title("conv_1", "T")

    assert len(set(server.headers("idempotency-key"))) == 1


async def test_an_attempt_under_way_is_not_waited_for_for_ever() -> None:
    rules = RetryRules(attempts=2, first_wait=0.001, longest_wait=0.001, in_flight_seconds=0)
    server = ScriptedServer(*[refusal(409, "idempotency_in_flight")] * 2)
    async with server.client(retry=rules) as client:
        with pytest.raises(IdempotencyInFlightError):
            await client.sessions.set_title("conv_1", "T")


async def test_the_server_says_how_long_to_wait() -> None:
    rules = RetryRules(first_wait=60, longest_wait=60)
    server = ScriptedServer(httpx.Response(503, headers={"Retry-After": "0"}), good(**SESSION))
    began = time.monotonic()
    async with server.client(retry=rules) as client:
        await client.sessions.get("conv_1")

    assert time.monotonic() - began < 30


@pytest.mark.parametrize("attempt", [2, 3, 4, 40])
@pytest.mark.parametrize("chance", [0.0, 0.999])
def test_waits_grow_with_jitter_up_to_a_limit(attempt: int, chance: float) -> None:
    rules = RetryRules(first_wait=1, longest_wait=5, chance=lambda: chance)

    ceiling = min(2.0 ** (attempt - 2), 5)
    assert ceiling / 2 <= rules.wait_before(attempt) <= ceiling
    assert rules.wait_before(attempt, asked=3) == 3
    assert rules.wait_before(attempt, asked=1000) == 5


KINDS: Mapping[ErrorCode, type[ApiError]] = {
    ErrorCode.UNAUTHORIZED: UnauthorizedError,
    ErrorCode.FORBIDDEN: ForbiddenError,
    ErrorCode.UPSTREAM_PERMISSION_DENIED: ForbiddenError,
    ErrorCode.NOT_FOUND: NotFoundError,
    ErrorCode.INVALID_INPUT: InvalidInputError,
    ErrorCode.STALE_CURSOR: StaleCursorError,
    ErrorCode.WRONG_REPLICA: InvalidInputError,
    ErrorCode.PAYLOAD_TOO_LARGE: PayloadTooLargeError,
    ErrorCode.ALREADY_EXISTS: AlreadyExistsError,
    ErrorCode.AGENT_IN_USE: ConflictError,
    ErrorCode.CONFLICT: ConflictError,
    ErrorCode.REFRESH_UNSUPPORTED: ConflictError,
    ErrorCode.IDEMPOTENCY_MISMATCH: IdempotencyMismatchError,
    ErrorCode.IDEMPOTENCY_IN_FLIGHT: IdempotencyInFlightError,
    ErrorCode.WORKSPACE_MISSING: GoneError,
    ErrorCode.SESSION_AGENT_MISSING: GoneError,
    ErrorCode.HARNESS_NOT_CONFIGURED: HarnessNotConfiguredError,
    ErrorCode.RUNNER_UNAVAILABLE: RunnerUnavailableError,
    ErrorCode.HOST_OFFLINE: HostOfflineError,
    ErrorCode.RUNNER_CAPABILITY_MISMATCH: RunnerUnavailableError,
    ErrorCode.UPSTREAM_CANCELLED: ServerError,
    ErrorCode.HARNESS_PROTOCOL_VIOLATION: ServerError,
    ErrorCode.INTERNAL_ERROR: ServerError,
    ErrorCode.RATE_LIMITED: RateLimitedError,
}


@pytest.mark.parametrize("code", list(ErrorCode))
async def test_every_code_of_the_server_has_its_class(code: ErrorCode) -> None:
    answer = refusal(STATUS[code], code.value, "the words", headers={"X-Request-Id": "req_7"})
    rules = RetryRules(attempts=1, in_flight_seconds=0)
    async with ScriptedServer(answer).client(retry=rules) as client:
        with pytest.raises(ApiError) as raised:
            await client.server.me()

    error = raised.value
    assert type(error) is KINDS[code]
    assert (error.code, error.status, error.message) == (code.value, STATUS[code], "the words")
    assert error.request_id == "req_7"
    assert str(error) == f"the words ({code.value}, HTTP {STATUS[code]}, request req_7)"


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (httpx.Response(415, json={"detail": "no text"}), UnsupportedMediaTypeError, "no text"),
        (refusal(413, "invalid_input", "too big"), PayloadTooLargeError, "too big"),
        (refusal(400, "invented"), InvalidInputError, "no"),
        (httpx.Response(429, text="slower"), RateLimitedError, "slower"),
        (httpx.Response(418), ApiError, "I'm a teapot"),
        (httpx.Response(404, html="<h1>404</h1>"), NotFoundError, "Not Found"),
        (httpx.Response(500, content=b"\xff{"), ServerError, "Internal Server Error"),
        (httpx.Response(302, headers={"Location": "http://elsewhere.test/"}), ApiError, "Found"),
        (httpx.Response(400, json=["?"]), InvalidInputError, "Bad Request"),
        (httpx.Response(400, json={"error": "a text"}), InvalidInputError, "Bad Request"),
    ],
    ids=name_of,
)
async def test_an_answer_without_the_envelope_has_a_class_too(
    answer: httpx.Response, kind: type[ApiError], words: str
) -> None:
    async with ScriptedServer(answer).client() as client:
        with pytest.raises(ApiError) as raised:
            await client.server.me()

    assert type(raised.value) is kind
    assert raised.value.message == words


async def test_a_validation_error_names_the_fields() -> None:
    detail = [{"type": "string_too_long", "loc": ["body", "title"], "msg": "at most 200"}, "odd"]
    answer = refusal(422, "invalid_input", "", detail=detail)
    async with ScriptedServer(answer).client() as client:
        with pytest.raises(ValidationError, match=r"body\.title: at most 200") as raised:
            await client.sessions.set_title("conv_1", "x" * 201)

    assert [problem["loc"] for problem in raised.value.problems] == [["body", "title"]]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, html="<p>hello</p>"),
        good(id="conv_1"),
        good(**{**SESSION, "created_at": "yesterday"}),
        httpx.Response(200, json=[]),
    ],
    ids=["no JSON", "member missing", "member of another type", "no object"],
)
async def test_an_answer_that_breaks_the_promise_is_told(answer: httpx.Response) -> None:
    async with ScriptedServer(answer).client() as client:
        with pytest.raises(InvalidAnswerError):
            await client.sessions.get("conv_1")


async def test_what_the_package_does_not_know_is_kept() -> None:
    async with ScriptedServer(good(**SESSION, mood="good", items=[])).client() as client:
        session = await client.sessions.get("conv_1")

    assert session.extra == {"mood": "good"}
    assert (session["mood"], session["id"]) == ("good", "conv_1")
    with pytest.raises(AttributeError):
        session.title = "changed"  # type: ignore[misc]  # the point of the test


async def test_identity_goes_with_every_request() -> None:
    server = ScriptedServer(good(user_id="ann", is_admin=False))
    headers = {"X-Forwarded-Email": "ann@example.test"}
    async with OmnigentClient(
        "http://server.test/prefix/", "secret", headers=headers, transport=server
    ) as client:
        assert (await client.server.me()).user_id == "ann"

    [request] = server.requests
    assert str(request.url) == "http://server.test/prefix/v1/me"
    assert request.headers["authorization"] == "Bearer secret"
    assert request.headers["x-forwarded-email"] == "ann@example.test"
    assert request.headers["user-agent"].startswith("omnigent-client/")


@pytest.mark.parametrize("session_id", ["", ".", ".."])
async def test_an_id_that_would_change_the_path_is_refused(session_id: str) -> None:
    async with ScriptedServer().client() as client:
        with pytest.raises(ValueError, match="not an id"):
            await client.sessions.get(session_id)


async def test_an_id_stays_one_segment_of_the_path() -> None:
    server = ScriptedServer(good(**SESSION))
    async with server.client() as client:
        await client.sessions.get("a/b?c=ä")

    assert server.requests[0].url.raw_path.startswith(b"/v1/sessions/a%2Fb%3Fc%3D%C3%A4?")


async def test_any_other_route_can_be_called() -> None:
    server = ScriptedServer(httpx.ReadError("reset"), good(answer=42))
    body: dict[str, Any] = {"question": None}
    async with server.client() as client:
        assert await client.request("post", "/v1/new-route", json=body) == {"answer": 42}

    assert json.loads(server.requests[1].content) == body
