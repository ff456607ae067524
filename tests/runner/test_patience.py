"""An agent's own words about time-outs, repetitions and other models, against providers that break."""

from pathlib import Path
from typing import Any

import pytest

from tests.model_server import Call, Fail, ModelServer, Silence, Text
from tests.runner.vendor_scene import VENDORS, Vendor, error_of, scene, skip_unless_installed, text_of

ENGINES = (
    Vendor(harness="claude-sdk", base_path="", broken_kind="overloaded_error", wrong_order=b""),
    Vendor(harness="codex", base_path="/v1", broken_kind="server_error", wrong_order=b""),
)
QUICK = {"backoff_base_s": 0.01, "backoff_max_s": 0.01, "jitter": False}
FOREVER = "300"


@pytest.fixture(params=VENDORS, ids=lambda vendor: vendor.harness)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    found: Vendor = request.param
    skip_unless_installed(found)
    return found


# The loop of openai-agents is the vendor's, and has one model.
LOOPED_HERE = [vendor for vendor in VENDORS if vendor.harness != "openai-agents"]
WITH_ENGINES = [*VENDORS, *(pytest.param(engine, marks=pytest.mark.engines) for engine in ENGINES)]


@pytest.fixture(params=WITH_ENGINES, ids=lambda vendor: vendor.harness)
def any_vendor(request: pytest.FixtureRequest) -> Vendor:
    found: Vendor = request.param
    skip_unless_installed(found)
    return found


def retries(events: Any) -> list[Any]:
    return [event for event in events if event["type"] == "response.retry"]


def models(provider: ModelServer) -> list[str]:
    """Which models were asked."""
    return [request.body["model"] for request in provider.requests]


@pytest.mark.parametrize(
    ("status", "kind"), [(429, "rate_limit_error"), (500, "api_error"), (529, "overloaded_error")]
)
async def test_an_agent_says_how_often_a_request_is_repeated(
    vendor: Vendor, tmp_path: Path, status: int, kind: str
) -> None:
    async with scene(vendor, tmp_path, retry={"max_retries": 2, **QUICK}) as played:
        played.provider.script(*[[Fail(status, kind)]] * 5)

        events = await played.turn("Tell me")

        assert [retry["attempt"] for retry in retries(events)] == [1, 2]
        assert {retry["delay_seconds"] for retry in retries(events)} == {0.01}
        assert {retry["max_attempts"] for retry in retries(events)} == {2}
        error_of(events)
        assert len(played.provider.requests) == 3


@pytest.mark.parametrize(("statuses", "requests"), [([503], 1), ([500], 3)])
async def test_an_agent_says_which_statuses_are_repeated(
    vendor: Vendor, tmp_path: Path, statuses: list[int], requests: int
) -> None:
    retry = {"max_retries": 2, "retryable_status_codes": statuses, **QUICK}
    async with scene(vendor, tmp_path, retry=retry) as played:
        played.provider.script(*[[Fail(500, "api_error")]] * 5)

        error_of(await played.turn("Tell me"))

        assert len(played.provider.requests) == requests


async def test_a_status_that_is_usually_final_can_be_repeated(vendor: Vendor, tmp_path: Path) -> None:
    retry = {"max_retries": 1, "retryable_status_codes": [404], **QUICK}
    async with scene(vendor, tmp_path, retry=retry) as played:
        played.provider.script([Fail(404, "not_found_error")], [Text("Here it is.")])

        events = await played.turn("Tell me")

        assert text_of(events) == "Here it is."
        assert len(retries(events)) == 1


async def test_an_agent_says_how_long_a_provider_may_be_silent(any_vendor: Vendor, tmp_path: Path) -> None:
    retry = {"max_retries": 0, **QUICK}
    async with scene(any_vendor, tmp_path, FOREVER, request_timeout=1, retry=retry) as played:
        played.provider.script([Text("Half an answer"), Silence()])

        events = await played.turn("Tell me")

        assert error_of(events)["code"] == "stream_interrupted"
        assert text_of(events) == "Half an answer"


@pytest.mark.parametrize(
    ("status", "kind", "code"),
    [
        pytest.param(404, "not_found_error", "not_found", id="no such model"),
        pytest.param(529, "overloaded_error", "provider_unavailable", id="overloaded"),
    ],
)
async def test_the_next_model_is_asked_when_one_cannot_be_had(
    any_vendor: Vendor, tmp_path: Path, status: int, kind: str, code: str
) -> None:
    keys: Any = {"model": "gone-1", "fallback_models": ["gone-2", "here-1"], "retry": {"max_retries": 0}}
    async with scene(any_vendor, tmp_path, FOREVER, **keys) as played:
        # Claude Code asks twice for a model that is not there.
        times = 2 if (any_vendor.harness, status) == ("claude-sdk", 404) else 1
        played.provider.script(*[[Fail(status, kind)]] * times * 2, [Text("Here.")])

        events = await played.turn("Tell me this")

        assert text_of(events) == "Here."
        assert [retry["error"]["code"] for retry in retries(events)] == [code, code]
        assert "here-1" in retries(events)[1]["error"]["message"]
        assert models(played.provider) == [*["gone-1"] * times, *["gone-2"] * times, "here-1"]
        assert str(played.provider.requests[-1].body).count("Tell me this") == 1
        assert [event["type"] for event in events][-2:] == ["response.completed", "session.status"]


@pytest.mark.parametrize("vendor", LOOPED_HERE, ids=lambda vendor: vendor.harness, indirect=True)
async def test_the_turn_stays_with_the_model_that_it_went_on_to(vendor: Vendor, tmp_path: Path) -> None:
    keys: Any = {"model": "gone-1", "fallback_models": ["here-1"], "retry": {"max_retries": 0}}
    async with scene(vendor, tmp_path, **keys) as played:
        call = Call("sys_os_shell", {"command": "echo x"}, "call_1")
        played.provider.script([Fail(404, "not_found_error")], [call], [Text("Done.")])

        events = await played.turn("Run it")

        assert text_of(events) == "Done."
        assert models(played.provider) == ["gone-1", "here-1", "here-1"]


async def test_the_last_models_failure_is_the_turns(vendor: Vendor, tmp_path: Path) -> None:
    keys: Any = {"model": "gone-1", "fallback_models": ["gone-1", "gone-2"], "retry": {"max_retries": 0}}
    async with scene(vendor, tmp_path, **keys) as played:
        played.provider.script([Fail(404, "not_found_error")], [Fail(403, "permission_error")])

        events = await played.turn("Tell me")

        assert error_of(events)["code"] == "permission_denied"
        assert models(played.provider) == ["gone-1", "gone-2"]


async def test_a_refusal_that_every_model_would_give_is_final(vendor: Vendor, tmp_path: Path) -> None:
    async with scene(vendor, tmp_path, fallback_models=["here-1"]) as played:
        played.provider.script([Fail(400, "invalid_request_error")], [Text("Never asked.")])

        assert error_of(await played.turn("Tell me"))["code"] == "bad_request"
        assert len(played.provider.requests) == 1


async def test_a_turn_in_which_nothing_happens_is_ended(vendor: Vendor, tmp_path: Path) -> None:
    async with scene(vendor, tmp_path, FOREVER, timeout=1) as played:
        played.provider.script([Text("Half an answer"), Silence()])

        events = await played.turn("Tell me")

        assert error_of(events)["code"] == "turn_timeout"
        assert text_of(events) == "Half an answer"
        await played.still_works(knows="Half an answer")


async def test_a_tools_time_is_not_the_turns(vendor: Vendor, tmp_path: Path) -> None:
    async with scene(vendor, tmp_path, FOREVER, timeout=0.5) as played:
        call = Call("sys_os_shell", {"command": "sleep 2; echo done"}, "call_1")
        played.provider.script([call], [Text("It is done.")])

        events = await played.turn("Run it")

        assert text_of(events) == "It is done."
        assert played.stream.outputs() == ["done\n"]
