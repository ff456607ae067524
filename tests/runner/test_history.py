"""What the model is shown after a restart, an interruption, a compaction."""

from pathlib import Path
from typing import Any

from omnigent.runner.history import CANCELLED_OUTPUT, CURRENT_TURN, History, compacted, loaded, paired
from tests.runner.fake_server import FakeServer, until
from tests.runner.rig import running, settled

Json = dict[str, Any]


def user(text: str, item_id: str = "", **extra: Any) -> Json:
    content = [{"type": "input_text", "text": text}]
    return {"id": item_id or text, "type": "message", "role": "user", "content": content, **extra}


def assistant(text: str) -> Json:
    content = [{"type": "output_text", "text": text}]
    return {"id": text, "type": "message", "role": "assistant", "content": content}


def call(call_id: str) -> Json:
    return {"type": "function_call", "call_id": call_id, "name": "sys_os_shell", "arguments": "{}"}


def output(call_id: str, text: str = "ok") -> Json:
    return {"type": "function_call_output", "call_id": call_id, "output": text}


def shown(items: list[Json]) -> list[str]:
    return [
        item["content"][0]["text"] if item["type"] == "message" else f"{item['type']}:{item['call_id']}"
        for item in items
    ]


def test_the_pending_message_is_left_out() -> None:
    items = [user("a"), assistant("b"), user("c", "item_c")]

    assert shown(loaded(items, "item_c")) == ["a", "b"]


def test_messages_on_their_way_come_by_themselves_but_system_notes_stay() -> None:
    items = [
        user("a", user_authored=True),
        user("b", "item_b", user_authored=True),
        assistant("half"),
        user("[System: interrupted]"),
        user("c", user_authored=True),
    ]

    assert shown(loaded(items, "item_b")) == ["a", "half", "[System: interrupted]"]


def test_without_a_pending_id_everything_is_history() -> None:
    items = [user("a", user_authored=True), assistant("b")]

    assert shown(loaded(items, None)) == ["a", "b"]


def test_a_compaction_stands_for_everything_up_to_its_last_item() -> None:
    compaction = {"id": "k", "type": "compaction", "summary": "they talked", "last_item_id": "b"}
    items = [user("a"), assistant("b"), user("c"), assistant("d"), compaction, user("e")]

    result = shown(compacted(items))

    assert result[0].endswith("they talked")
    assert result[1:] == ["c", "d", "e"]


def test_a_compaction_whose_last_item_is_gone_stands_for_all_before_it() -> None:
    items = [user("a"), {"id": "k", "type": "compaction", "summary": "s", "last_item_id": "gone"}, user("b")]

    assert shown(compacted(items))[1:] == ["b"]


def test_a_call_without_output_gets_one_behind_its_group() -> None:
    items = [user("a"), call("1"), call("2"), output("1"), user("b")]

    result = paired(items)

    assert shown(result) == [
        "a",
        "function_call:1",
        "function_call:2",
        "function_call_output:1",
        "function_call_output:2",
        "b",
    ]
    assert result[4]["output"] == CANCELLED_OUTPUT


def test_a_call_without_output_at_the_end_gets_one_too() -> None:
    assert shown(paired([call("1")])) == ["function_call:1", "function_call_output:1"]


def test_an_output_without_its_call_is_dropped() -> None:
    assert shown(paired([user("a"), output("9")])) == ["a"]


def test_items_that_no_model_reads_are_left_out() -> None:
    history = History([user("a"), {"id": "e", "type": "error", "code": "x", "message": "y"}])

    assert shown(history.model_input()) == ["a"]


def test_the_current_turn_is_marked() -> None:
    history = History([user("a"), assistant("b")])
    history.begin_turn()
    history.add_message({"role": "user", "content": user("c")["content"]})

    assert [CURRENT_TURN in item for item in history.model_input()] == [False, False, True]


def test_a_message_that_was_loaded_is_not_added_again() -> None:
    history = History([user("a", "item_a")])
    history.add_message({"persisted_item_id": "item_a", **user("a")})

    assert shown(history.model_input()) == ["a"]


def test_blank_text_is_not_kept() -> None:
    history = History()
    history.add_text(" \n")

    assert history.model_input() == []


async def test_a_new_runner_reads_all_pages_and_continues_the_conversation(tmp_path: Path) -> None:
    server = FakeServer()
    server.items = [user(f"old {n}", f"item_{n}") for n in range(250)]
    server.items.append(user("Count to 2", "item_new", user_authored=True))
    async with running(tmp_path, server=server) as rig:
        stream = server.subscribe()
        await rig.turn("Count to 2", stream)
        await rig.turn("Count to 3", stream)

    pages = [path for _, path, _ in server.calls if path.endswith("/items")]
    asked = [body["event"] for _, path, body in server.calls if path.endswith("evaluate")]
    requests = [event["data"] for event in asked if event["type"] == "PHASE_LLM_REQUEST"]
    assert len(pages) == 3
    assert [data["messages_count"] for data in requests] == [252, 254]


async def test_the_persisted_message_counts_once(tmp_path: Path) -> None:
    server = FakeServer()
    server.items = [
        user("hello", "item_1"),
        assistant("hi"),
        user("Count to 2", "item_2", user_authored=True),
    ]
    async with running(tmp_path, server=server):
        stream = server.subscribe()
        await server.say("Count to 2", "item_2")
        await until(lambda: settled(stream))

    evaluated = [body["event"]["data"] for _, path, body in server.calls if path.endswith("evaluate")]
    assert evaluated[0]["messages_count"] == 3


async def test_reset_state_makes_the_next_turn_read_the_items_again(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        stream = rig.server.subscribe()
        await rig.turn("Count to 2", stream)
        await rig.server.request("POST", "/v1/sessions/conv_1/reset-state")
        await rig.turn("Count to 2", stream)

    assert len([path for _, path, _ in rig.server.calls if path.endswith("/items")]) == 2
    assert stream.of_type("session.state_reset")


async def test_agent_cache_reset_fetches_the_agent_again(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        stream = rig.server.subscribe()
        await rig.turn("Count to 2", stream)
        await rig.turn("Count to 2", stream)
        await rig.server.request("POST", "/v1/sessions/conv_1/agent-cache/reset", {})
        await rig.turn("Count to 2", stream)

    assert len([path for _, path, _ in rig.server.calls if path.endswith("/contents")]) == 2
