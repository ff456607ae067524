"""What may be posted to a session, by a short name: (type, data)."""

from typing import Any

Json = dict[str, Any]

ITEM = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "[System: note]"}]}


INPUTS: dict[str, tuple[str, Json]] = {
    "message": ("message", {"role": "user", "content": [{"type": "input_text", "text": "Name me"}]}),
    "assistant message": (
        "message",
        {"role": "assistant", "content": [{"type": "output_text", "text": "x"}]},
    ),
    "interrupt": ("interrupt", {}),
    "external message": ("external_assistant_message", {"text": "hi", "agent": "a"}),
    "external user item": ("external_conversation_item", {"item_type": "message", "item_data": ITEM}),
    "external call": (
        "external_conversation_item",
        {"item_type": "function_call", "item_data": {"name": "f", "arguments": "{}", "call_id": "c"}},
    ),
    "external text": ("external_output_text_delta", {"delta": "x"}),
    "status running": ("external_session_status", {"status": "running"}),
    "status idle": ("external_session_status", {"status": "idle"}),
    "status waiting": ("external_session_status", {"status": "waiting", "background_task_count": 2}),
    "status failed": ("external_session_status", {"status": "failed", "output": "why"}),
    "more in the background": (
        "external_session_status",
        {"status": "running", "background_task_count": 1, "background_tasks": [{"id": "t"}]},
    ),
    "external usage": (
        "external_session_usage",
        {"context_tokens": 3, "context_window": 9, "cumulative_input_tokens": 7, "cumulative_cost_usd": 0.5},
    ),
    "todos": ("external_session_todos", {"todos": [{"content": "x"}]}),
    "external title": ("external_session_title", {"title": "From elsewhere"}),
    "external model": ("external_model_change", {"model": "other"}),
    "external effort": ("external_reasoning_effort_change", {"reasoning_effort": "low"}),
    "interrupted elsewhere": ("external_session_interrupted", {}),
    "form": ("mcp_elicitation", {"message": "m", "requestedSchema": {"type": "object"}}),
    "answered elsewhere": ("external_elicitation_resolved", {"elicitation_id": "elicit_x"}),
    "compaction elsewhere": ("external_compaction_status", {"status": "completed"}),
    "sub-agent": ("external_subagent_start", {"subagent_id": "s"}),
    "error": ("error", {"source": "tool", "code": "c", "message": "m"}),
    "compaction": ("compaction", {"summary": "s", "last_item_id": "item_1", "model": "m", "token_count": 3}),
}
