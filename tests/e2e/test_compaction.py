"""Compaction in real processes: the model goes on from the summary, the transcript keeps everything."""

import httpx

from tests.e2e.api import of_type, texts
from tests.e2e.stack import Stack


def test_the_next_turn_starts_from_the_summary(stack: Stack) -> None:
    session_id = stack.api.create()["id"]
    stream = stack.stream(session_id)
    for turns, text in enumerate(("Run the shell command: echo hi", "Hello"), start=1):
        stack.api.message(session_id, text)
        stream.wait_settled(turns=turns)

    compacted = stack.api.post(session_id, {"type": "compact"})
    stack.api.message(session_id, "Summarise the conversation so far")
    stream.wait_settled(turns=3)

    items = stack.api.items(session_id)
    [compaction] = of_type(items, "compaction")
    assert (compacted.status_code, compacted.json()) == (httpx.codes.ACCEPTED, {"queued": False})
    assert compaction["summary"].startswith("4 messages:\n- user: Run the shell command: echo hi")
    assert compaction["last_item_id"] == items[3]["id"]
    types = stream.types()
    assert types.index("response.compaction.in_progress") < types.index("response.compaction.completed")
    seen = texts(items, "assistant")[-1].splitlines()
    assert seen[0] == "3 messages:"
    assert seen[1].startswith("- user: [Summary of the conversation so far]")
    assert seen[2] == "- user: Hello"
    assert texts(items, "user")[0] == "Run the shell command: echo hi"
