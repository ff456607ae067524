"""Url policies: what the service is sent, and what it may answer."""

import hashlib
import hmac
import json
from typing import Any

import pytest

from omnigent.outbound import Guard, OutboundClient, OutboundRules
from omnigent.policies import Phase
from omnigent.policies.remote import RemotePolicies, RemotePolicyError, RemoteRules, url_problem
from omnigent.policies.remote.endpoints import MAX_ENDPOINTS
from tests.outbound.clients import HOST, ScriptedResolver
from tests.outbound.https_server import Reply, answer, drip, hang_up, raw, silence
from tests.policies.events import event, request, tool_call
from tests.policies.remote_service import json_answer, remote_service

QUICK = RemoteRules(timeout_seconds=0.3)
ABSTAINING = {
    "no content": answer("204 No Content"),
    "an empty object": json_answer("{}"),
    "an empty object with spaces": json_answer(" { } "),
}
ANSWERS: dict[str, dict[str, Any]] = {
    "allow": {"result": "allow"},
    "deny in upper case": {"result": "DENY", "reason": "not on Fridays"},
    "ask": {"result": "ask", "reason": "sure?", "data": {"name": "x", "arguments": {}}},
    "updates": {
        "result": "allow",
        "state_updates": [{"key": "seen", "action": "increment", "value": 2}],
        "set_labels": {"risk": "low"},
    },
    "updates as an object": {"result": "allow", "state_updates": {"seen": True}},
}
WRONG = {
    "status 500": (answer("500 Oops", b"{}"), "answered with status 500"),
    "status 503": (answer("503 Busy"), "answered with status 503"),
    "status 404": (answer("404 Not Found", b'{"result":"allow"}'), "answered with status 404"),
    "status 201": (answer("201 Created", b'{"result":"allow"}'), "answered with status 201"),
    "a redirect": (answer("302 Found", b"", "Location: https://127.0.0.1/"), "answered with status 302"),
    "nothing": (answer(), "not JSON"),
    "no JSON": (json_answer("allow"), "not JSON"),
    "half an object": (json_answer('{"result": "allow"'), "not JSON"),
    "two results": (json_answer('{"result": "deny", "result": "allow"}'), "not JSON"),
    "two results, one escaped": (json_answer('{"result": "deny", "\\u0072esult": "allow"}'), "not JSON"),
    "not a number": (json_answer('{"result": "allow", "data": NaN}'), "not JSON"),
    "half a letter": (json_answer('{"result": "allow", "reason": "\\ud800"}'), "not JSON"),
    "another encoding": (answer(body='{"result":"allow"}'.encode("utf-16")), "not JSON"),
    "deep nesting": (json_answer('{"data":' + "[" * 30000), "not JSON"),
    "a list": (json_answer('[{"result": "allow"}]'), "not an object"),
    "null": (json_answer("null"), "not an object"),
    "a word": (json_answer('"allow"'), "not an object"),
    "no result": (json_answer('{"reason": "fine"}'), "returned no result"),
    "an unknown verdict": (json_answer('{"result": "maybe"}'), "unknown result 'maybe'"),
    "a verdict that is no text": (json_answer('{"result": true}'), "unknown result True"),
    "an unknown state action": (
        json_answer('{"result": "allow", "state_updates": [{"key": "a", "action": "twist"}]}'),
        "unknown state action 'twist'",
    ),
    "a reserved key": (
        json_answer('{"result": "ask", "state_updates": {"_policy_cost_approved": 1}}'),
        "reserved state '_policy_cost_approved'",
    ),
    "an answer too large": (answer(body=b" " * 65537), "more than 65536 bytes"),
    "an encoded answer": (answer("200 OK", b"{}", "Content-Encoding: br"), "encoded"),
    "hanging up": (hang_up, "was not reached"),
    "no HTTP": (raw(b"220 mail ready\r\n\r\n"), "was not reached"),
}
SLOW = {
    "silence": silence,
    "a dripping body": drip(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", b" "),
}


async def test_the_service_is_sent_the_event_without_the_llm_client() -> None:
    async with remote_service(json_answer('{"result": "allow"}')) as service:
        await service.policy(tool_call("Bash", {"command": "ls"}))

    (received,) = service.server.requests
    expected = tool_call("Bash", {"command": "ls"})
    del expected["llm_client"]
    assert received.line == "POST /check HTTP/1.1"
    assert json.loads(received.body) == {
        "version": 1,
        "policy": {"id": "pol_srv_1", "name": "outer gate"},
        "event": expected,
    }
    assert received.headers["host"] == f"{HOST}:{service.server.port}"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["user-agent"].startswith("Omnigent/")


async def test_a_secret_signs_the_timestamp_and_the_exact_body() -> None:
    async with remote_service(json_answer("{}"), RemoteRules(secret=b"between us")) as service:
        await service.policy(request("grüße"))

    (received,) = service.server.requests
    signed = b"1790000000." + received.body
    digest = hmac.new(b"between us", signed, hashlib.sha256).hexdigest()
    assert received.headers["x-omnigent-timestamp"] == "1790000000"
    assert received.headers["x-omnigent-signature"] == f"sha256={digest}"


async def test_without_a_secret_nothing_claims_to_be_signed() -> None:
    async with remote_service(json_answer("{}")) as service:
        await service.policy(request("hello"))

    assert not [name for name in service.server.requests[0].headers if name.startswith("x-omnigent")]


@pytest.mark.parametrize("reply", ABSTAINING.values(), ids=ABSTAINING.keys())
async def test_no_content_and_an_empty_object_abstain(reply: Reply) -> None:
    async with remote_service(reply) as service:
        assert await service.policy(request("hello")) is None


@pytest.mark.parametrize("expected", ANSWERS.values(), ids=ANSWERS.keys())
async def test_a_well_formed_answer_is_handed_on_whole(expected: dict[str, Any]) -> None:
    async with remote_service(json_answer(json.dumps(expected))) as service:
        assert await service.policy(request("hello")) == expected


@pytest.mark.parametrize(("reply", "cause"), WRONG.values(), ids=WRONG.keys())
async def test_a_wrong_answer_raises_with_its_cause(reply: Reply, cause: str) -> None:
    async with remote_service(reply) as service:
        with pytest.raises(RemotePolicyError, match=cause):
            await service.policy(tool_call("Bash"))


@pytest.mark.parametrize("reply", SLOW.values(), ids=SLOW.keys())
async def test_a_slow_answer_raises_after_the_time_out(reply: Reply) -> None:
    async with remote_service(reply, QUICK) as service:
        with pytest.raises(RemotePolicyError, match=r"within 0\.3 s"):
            await service.policy(tool_call("Bash"))


async def test_an_event_that_is_no_json_raises_and_is_not_sent() -> None:
    async with remote_service(json_answer("{}")) as service:
        with pytest.raises(RemotePolicyError, match="cannot be sent as JSON"):
            await service.policy(event("tool_result", {"result": object()}))

    assert service.server.requests == []


async def test_a_name_that_leads_inside_raises_and_nothing_is_sent() -> None:
    client = OutboundClient(Guard(OutboundRules(), ScriptedResolver(["10.0.0.1"])))
    policy = RemotePolicies(client, RemoteRules()).policy(policy_id="p", name="n", url=f"https://{HOST}/")

    with pytest.raises(RemotePolicyError, match="not allowed"):
        await policy(tool_call("Bash"))
    await client.aclose()


async def test_the_record_of_urls_is_bounded() -> None:
    client = OutboundClient(Guard(OutboundRules(), ScriptedResolver(["1.1.1.1"])))
    policies = RemotePolicies(client, RemoteRules())
    for number in range(MAX_ENDPOINTS + 1):
        policy = policies.policy(policy_id="p", name="n", url=f"http://{HOST}/{number}")
        with pytest.raises(RemotePolicyError, match="only https"):
            await policy(tool_call("Bash"))
    await client.aclose()

    assert len(policies.statuses()) == MAX_ENDPOINTS
    assert policies.statuses()[-1].url.endswith(f"/{MAX_ENDPOINTS}")


@pytest.mark.parametrize("phase", sorted(set(Phase) - {Phase.REQUEST, Phase.TOOL_CALL}))
@pytest.mark.parametrize("reply", [answer("500 Oops"), json_answer("?"), hang_up])
async def test_an_advisory_phase_abstains_when_the_operator_says_so(phase: Phase, reply: Reply) -> None:
    async with remote_service(reply, RemoteRules(fail_open_phases=frozenset({phase}))) as service:
        assert await service.policy(event(phase.value, {})) is None
        with pytest.raises(RemotePolicyError):
            await service.policy(tool_call("Bash"))


async def test_an_advisory_phase_still_hears_a_denial() -> None:
    rules = RemoteRules(fail_open_phases=frozenset({Phase.TOOL_RESULT}))
    async with remote_service(json_answer('{"result": "deny"}'), rules) as service:
        assert await service.policy(event("tool_result", {})) == {"result": "deny"}


@pytest.mark.parametrize("phase", [Phase.REQUEST, Phase.TOOL_CALL])
def test_a_gate_cannot_be_made_to_fail_open(phase: Phase) -> None:
    with pytest.raises(ValueError, match=f"cannot fail open in phase '{phase}'"):
        RemoteRules(fail_open_phases=frozenset({phase}))


@pytest.mark.parametrize(
    "settings",
    [
        {"timeout_seconds": 0},
        {"timeout_seconds": float("nan")},
        {"timeout_seconds": float("inf")},
        {"breaker_failures": 0},
        {"breaker_pause_seconds": -1},
    ],
)
def test_a_setting_out_of_range_is_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be|needs"):
        RemoteRules(**settings)


def test_a_url_is_judged_in_words_before_it_is_attached() -> None:
    guard = Guard(OutboundRules(), ScriptedResolver(["1.1.1.1"]))

    assert url_problem(guard, "https://policy.example/check") is None
    assert url_problem(guard, "http://policy.example/check") == "only https URLs are allowed"
    assert url_problem(guard, "https://169.254.169.254/") is not None
