"""A scripted model server on loopback that speaks the streaming protocols of three vendors.

`async with ModelServer() as server: server.script([Text("Hello.")])`, then point a client at `server.url`
(Anthropic's clients) or `server.url + "/v1"` (OpenAI's).
"""

from tests.model_server.http import Recorded
from tests.model_server.prompt import Prompt
from tests.model_server.server import ModelServer
from tests.model_server.steps import (
    BreakInside,
    Call,
    Cut,
    End,
    Fail,
    Garbage,
    Hold,
    Reasoning,
    Reply,
    Silence,
    Step,
    Stop,
    Text,
    Tokens,
    Unanswered,
)

__all__ = [
    "BreakInside",
    "Call",
    "Cut",
    "End",
    "Fail",
    "Garbage",
    "Hold",
    "ModelServer",
    "Prompt",
    "Reasoning",
    "Recorded",
    "Reply",
    "Silence",
    "Step",
    "Stop",
    "Text",
    "Tokens",
    "Unanswered",
]
