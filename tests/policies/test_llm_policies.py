"""Policies that ask the server's model: what it is asked, and what becomes of its answer."""

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from omnigent.policies.builtins.context import detect_task_switch
from omnigent.policies.builtins.prompt import prompt_policy
from omnigent.policies.builtins.routing import deny_trivial_to_expensive_model, intent_based_authorization
from omnigent.policies.registry import build_registry
from omnigent.policies.server_model import ModelAnswerError
from tests.policies import events

Json = dict[str, Any]
Handler = Callable[[Mapping[str, Any]], Awaitable[Json | None]]


class ScriptedModel:
    """Gives its answers in order and remembers what it was asked."""

    def __init__(self, *answers: str | Exception) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, str]] = []

    async def complete(self, prompt: str, *, system: str = "", max_tokens: int = 200) -> str:
        self.asked.append((prompt, system))
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


async def answer(handler: Handler, event: Json, model: ScriptedModel | None) -> Json | None:
    return await handler(event | {"llm_client": model})


def verdict(given: Json | None) -> str:
    return "ALLOW" if given is None else given["result"]


def kept(given: Json | None) -> Json:
    """The state after what the policy wants written."""
    return {update["key"]: update["value"] for update in (given or {}).get("state_updates", ())}


def llm_request(message: str, model: str = "big", state: Json | None = None) -> Json:
    return events.event("llm_request", {"model": model, "last_user_message": message}, state=state)


SWITCH_STATE = {"_task_switch_history": ["fix the parser"]}
INTENT_STATE = {"intent_authorization_intent": "fix the parser"}
POLICIES: dict[str, tuple[Handler, Json, str]] = {
    "prompt_policy": (prompt_policy(prompt="No shells."), events.tool_call("Bash"), '{"action": "allow"}'),
    "deny_trivial": (
        deny_trivial_to_expensive_model(expensive_models=["big"]),
        llm_request("hi"),
        "COMPLEX",
    ),
    "intent": (intent_based_authorization(), events.tool_call("Bash", state=INTENT_STATE), "ON_TASK"),
    "task_switch": (
        detect_task_switch(),
        events.request("and the lexer", state=SWITCH_STATE),
        "CONTINUATION",
    ),
}
EACH = pytest.mark.parametrize(("handler", "event", "good"), POLICIES.values(), ids=POLICIES.keys())


@EACH
async def test_without_a_model_there_is_no_opinion(handler: Handler, event: Json, good: str) -> None:
    assert verdict(await answer(handler, event, None)) == "ALLOW"


@EACH
async def test_a_good_answer_allows(handler: Handler, event: Json, good: str) -> None:
    model = ScriptedModel(good)

    assert verdict(await answer(handler, event, model)) == "ALLOW"
    assert len(model.asked) == 1


@EACH
@pytest.mark.parametrize(
    "bad",
    ["", "perhaps", "allow everything", "[]", '{"action": "maybe"}', "ON_TASK OFF_TASK", '{"action": 1}'],
)
async def test_an_answer_that_is_no_verdict_is_a_fault(
    handler: Handler, event: Json, good: str, bad: str
) -> None:
    with pytest.raises(ModelAnswerError):
        await answer(handler, event, ScriptedModel(bad))


@EACH
async def test_a_model_that_cannot_be_reached_is_a_fault(handler: Handler, event: Json, good: str) -> None:
    with pytest.raises(ConnectionError):
        await answer(handler, event, ScriptedModel(ConnectionError("down")))


@EACH
async def test_untrusted_text_is_fenced_with_a_marker_of_its_own(
    handler: Handler, event: Json, good: str
) -> None:
    model = ScriptedModel(good, good)

    await answer(handler, event, model)
    await answer(handler, event, model)

    markers = []
    for prompt, system in model.asked:
        (marker,) = set(re.findall(r"<data-([0-9a-f]{16})>", prompt))
        assert marker in system
        outside = re.sub(rf"<data-{marker}>.*?</data-{marker}>", "", prompt, flags=re.DOTALL)
        assert not re.search(r"Bash|parser|lexer|\bhi\b", outside)
        assert not re.search(r"Bash|parser|lexer|\bhi\b", system)
        markers.append(marker)
    assert len(set(markers)) == 2


@pytest.mark.parametrize(
    "name",
    [
        *("prompt.prompt_policy", "routing.deny_trivial_to_expensive_model"),
        *("routing.intent_based_authorization", "context.detect_task_switch"),
    ],
)
def test_a_fault_counts_only_where_something_is_about_to_be_done(name: str) -> None:
    entry = build_registry().get(f"omnigent.policies.builtins.{name}")

    assert entry is not None
    assert entry.advisory
    assert entry.needs == {"llm"}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ('{"action": "allow", "reason": "fine"}', ("ALLOW", None)),
        ('{"action": "DENY", "reason": "a shell"}', ("DENY", "a shell")),
        ('{"action": "ask"}', ("ASK", "decided by the model")),
        ('```json\n{"action": "deny", "reason": "x"}\n```', ("DENY", "x")),
    ],
)
async def test_a_rule_in_words_decides(reply: str, expected: tuple[str, str | None]) -> None:
    given = await answer(prompt_policy(prompt="No shells."), events.tool_call("Bash"), ScriptedModel(reply))

    assert given is not None
    assert (given["result"], given.get("reason")) == expected


async def test_a_rule_in_words_may_have_a_reason_of_its_own() -> None:
    policy = prompt_policy(prompt="No shells.", reason="House rule.")

    given = await answer(policy, events.tool_call("Bash"), ScriptedModel('{"action": "deny", "reason": "x"}'))

    assert given is not None and given["reason"] == "House rule."


@pytest.mark.parametrize(
    ("event", "word"),
    [
        (events.request("hello", [{"filename": "a.txt", "text": "attached"}]), "attached"),
        (events.tool_call("Bash", {"command": "whoami"}), "whoami"),
        (events.tool_result("Bash", "root"), "root"),
        (events.event("response", "done so"), "done so"),
        (llm_request("question"), "question"),
        (events.event("llm_response", {"text_preview": "preview"}), "preview"),
    ],
    ids=lambda value: value["type"] if isinstance(value, dict) else "",
)
async def test_a_rule_in_words_sees_every_phase(event: Json, word: str) -> None:
    model = ScriptedModel('{"action": "allow"}')

    await answer(prompt_policy(prompt="Be kind."), event, model)

    assert word in model.asked[0][0]


@pytest.mark.parametrize(
    "event",
    [events.request("  "), events.event("response", ""), events.event("llm_response", {})],
)
async def test_a_rule_in_words_is_not_asked_about_nothing(event: Json) -> None:
    model = ScriptedModel()

    assert await answer(prompt_policy(prompt="Be kind."), event, model) is None
    assert model.asked == []


async def test_a_text_too_long_to_be_judged_is_a_fault() -> None:
    with pytest.raises(ModelAnswerError, match="characters"):
        await answer(prompt_policy(prompt="Be kind."), events.request("x" * 100_001), ScriptedModel())


async def test_a_trivial_message_is_denied_once_judged_and_remembered() -> None:
    policy = deny_trivial_to_expensive_model(expensive_models=["big"])
    model = ScriptedModel("trivial.")

    first = await answer(policy, llm_request("hi"), model)
    second = await answer(policy, llm_request("hi", state=kept(first)), model)

    assert verdict(first) == verdict(second) == "DENY"
    assert len(model.asked) == 1
    (key,) = kept(first)["trivial_request_verdicts"]
    assert re.fullmatch("[0-9a-f]{16}", key)


@pytest.mark.parametrize(
    "event",
    [llm_request("hi", "small"), llm_request("hi", "BIG"), llm_request(""), events.request("hi")],
)
async def test_only_calls_to_expensive_models_are_judged(event: Json) -> None:
    model = ScriptedModel()

    assert await answer(deny_trivial_to_expensive_model(expensive_models=["big"]), event, model) is None
    assert model.asked == []


async def test_the_oldest_verdicts_are_forgotten() -> None:
    policy = deny_trivial_to_expensive_model(expensive_models=["big"])
    state = {"trivial_request_verdicts": {f"{number:016x}": "COMPLEX" for number in range(100)}}

    given = await answer(policy, llm_request("hi", state=state), ScriptedModel("COMPLEX"))

    remembered = list(kept(given)["trivial_request_verdicts"])
    assert len(remembered) == 100
    assert f"{0:016x}" not in remembered and f"{1:016x}" in remembered


async def test_the_first_message_becomes_the_intent_and_stays_it() -> None:
    policy = intent_based_authorization()

    first = await answer(policy, events.request("fix the parser " + "x" * 2000), None)
    second = await answer(policy, events.request("and more", state=kept(first)), None)

    assert len(kept(first)["intent_authorization_intent"]) == 1000
    assert second is None


async def test_a_call_beside_the_task_asks_each_time_and_is_judged_once() -> None:
    policy, model = intent_based_authorization(), ScriptedModel("OFF_TASK", "ON_TASK")
    event = events.tool_call("Bash", {"command": "rm x"}, state=INTENT_STATE)

    first = await answer(policy, event, model)
    again = await answer(policy, event | {"session_state": INTENT_STATE | kept(first)}, model)
    other = events.tool_call("Bash", {"command": "ls"}, state=INTENT_STATE | kept(first))

    assert verdict(first) == verdict(again) == "ASK"
    assert verdict(await answer(policy, other, model)) == "ALLOW"
    assert len(model.asked) == 2


async def test_without_an_intent_no_call_is_judged() -> None:
    model = ScriptedModel()

    assert await answer(intent_based_authorization(), events.tool_call("Bash"), model) is None
    assert model.asked == []


@pytest.mark.parametrize(
    ("action", "history"), [("ASK", ["write a poem"]), ("DENY", [])], ids=["asked", "denied"]
)
async def test_a_switch_of_task_is_met_and_the_window_begins_anew(action: str, history: list[str]) -> None:
    policy = detect_task_switch(action=action)

    given = await answer(
        policy, events.request("write a poem", state=SWITCH_STATE), ScriptedModel("task_switch")
    )

    assert verdict(given) == action
    assert kept(given) == {"_task_switch_history": history}


async def test_messages_are_only_kept_until_there_are_enough_to_compare() -> None:
    policy, model = detect_task_switch(min_turns=2, history_window=2), ScriptedModel("CONTINUATION")
    state: Json = {}

    for text in ("one " + "x" * 600, "two", "three"):
        state = kept(await answer(policy, events.request(text, state=state), model))

    assert state == {"_task_switch_history": ["two", "three"]}
    assert len(model.asked) == 1
    assert "x" * 497 not in model.asked[0][0]


@pytest.mark.parametrize(
    "build",
    [
        lambda: prompt_policy(prompt=" "),
        lambda: deny_trivial_to_expensive_model(expensive_models="big"),
        lambda: detect_task_switch(min_turns=0),
        lambda: detect_task_switch(min_turns=5, history_window=4),
        lambda: detect_task_switch(action="WARN"),
    ],
)
def test_parameters_that_make_no_policy_are_refused(build: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        build()
