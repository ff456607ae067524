"""What the server's policies are asked before a model request."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from omnigent.runner.harnesses.base import ModelRequest

_PREVIEW: Final = 200


def llm_request_event(request: ModelRequest, harness: str) -> dict[str, Any]:
    """The event of the phase before a model request."""
    return {
        "type": "PHASE_LLM_REQUEST",
        "data": {
            "model": request.model,
            "messages_count": len(request.items),
            "tools_count": len(request.tools),
            "system_prompt_preview": request.instructions[:_PREVIEW],
            "last_user_message": last_user_text(request.items),
        },
        "context": {"model": request.model, "harness": harness},
    }


def last_user_text(items: Sequence[Mapping[str, Any]]) -> str:
    """The text of the last message in the user's place."""
    for item in reversed(items):
        if item.get("type") == "message" and item.get("role") == "user":
            content = item.get("content")
            if isinstance(content, str):
                return content
            blocks = [block for block in content or () if isinstance(block, Mapping)]
            return "\n".join(str(block["text"]) for block in blocks if isinstance(block.get("text"), str))
    return ""
