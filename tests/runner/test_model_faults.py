"""Providers that break: each turn ends in a stated way and keeps what was shown, and the next one works."""

from pathlib import Path

import pytest

from tests.model_server import BreakInside, Call, Cut, End, Fail, Garbage, Silence, Step, Text
from tests.runner.vendor_scene import VENDORS, Vendor, error_of, scene, skip_unless_installed, text_of


@pytest.fixture(params=VENDORS, ids=lambda vendor: vendor.harness)
def vendor(request: pytest.FixtureRequest) -> Vendor:
    found: Vendor = request.param
    skip_unless_installed(found)
    return found


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        pytest.param(Cut(), "stream_interrupted", id="cut"),
        pytest.param(End(), "stream_interrupted", id="no-last-event"),
        pytest.param(Garbage(), "malformed_stream", id="garbage"),
        pytest.param(Silence(), "stream_interrupted", id="silence"),
        pytest.param("wrong order", "malformed_stream", id="wrong-order"),
        pytest.param("error inside", "provider_unavailable", id="error-inside"),
    ],
)
async def test_a_stream_that_breaks_after_some_text(
    vendor: Vendor, tmp_path: Path, fault: Step | str, code: str
) -> None:
    steps: dict[str, Step] = {
        "wrong order": Garbage(vendor.wrong_order),
        "error inside": BreakInside(vendor.broken_kind),
    }
    step = steps[fault] if isinstance(fault, str) else fault
    async with scene(vendor, tmp_path) as played:
        played.provider.script([Text("Half an answer"), step])

        events = await played.turn("Tell me")

        assert text_of(events) == "Half an answer"
        error = error_of(events)
        assert error["code"] == code
        assert error["message"]
        assert len(played.provider.requests) == 1
        await played.still_works(knows="Half an answer")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        pytest.param(Fail(429, "rate_limit_error", headers={"retry-after": "0"}), "rate_limited", id="429"),
        pytest.param(Fail(529, "overloaded_error"), "provider_unavailable", id="529"),
        pytest.param(Cut(), "stream_interrupted", id="cut"),
        pytest.param("error inside", "provider_unavailable", id="error-inside"),
    ],
)
async def test_a_fault_before_any_text_is_told_and_the_request_repeated(
    vendor: Vendor, tmp_path: Path, fault: Step | str, code: str
) -> None:
    step = BreakInside(vendor.broken_kind) if isinstance(fault, str) else fault
    async with scene(vendor, tmp_path) as played:
        played.provider.script([step], [Text("Second try.")])

        events = await played.turn("Tell me")

        assert text_of(events) == "Second try."
        [retry] = [event for event in events if event["type"] == "response.retry"]
        assert (retry["attempt"], retry["error"]["code"]) == (1, code)
        assert events[-2]["type"] == "response.completed"
        await played.still_works(knows="Second try.")


async def test_a_fault_after_a_tool_keeps_the_call_and_its_output(vendor: Vendor, tmp_path: Path) -> None:
    async with scene(vendor, tmp_path) as played:
        call = Call("sys_os_shell", {"command": "echo from-the-tool"}, "call_1")
        played.provider.script([Text("Looking. "), call], [Text("It says"), Cut()])

        events = await played.turn("Run it")

        assert text_of(events) == "Looking. It says"
        assert error_of(events)["code"] == "stream_interrupted"
        assert played.stream.outputs() == ["from-the-tool\n"]
        await played.still_works(knows="from-the-tool")


async def test_a_call_that_the_stream_cuts_is_not_made(vendor: Vendor, tmp_path: Path) -> None:
    async with scene(vendor, tmp_path) as played:
        call = Call("sys_os_shell", {"command": "touch proof"}, "call_1")
        played.provider.script([Text("Looking. "), call, Cut()])

        events = await played.turn("Run it")

        assert error_of(events)["code"] == "stream_interrupted"
        assert played.stream.outputs() == []
        assert not (tmp_path / "proof").exists()
        await played.still_works(knows="Looking.")


@pytest.mark.parametrize("seconds", ["soon", "0", "-1", "nan", "inf"])
async def test_a_time_limit_that_cannot_be_used_fails_the_turn_in_words(tmp_path: Path, seconds: str) -> None:
    async with scene(VENDORS[0], tmp_path, seconds) as played:
        error = error_of(await played.turn("Tell me"))

    assert error["code"] == "harness_not_configured"
    assert error["message"] == f"OMNIGENT_MODEL_SILENCE_SECONDS: {seconds!r} is not a number above 0."
