"""Harnesses and skills as models, for the description of the routes that answer them."""

from typing import Literal

from omnigent.api.schema.shapes import Shape


class CapabilityShape(Shape):
    """What sessions on a harness can do."""

    integration_mode: Literal[
        "sdk-in-process", "cli-subprocess", "acp-subprocess", "native-tui", "native-server"
    ]
    elicitation: Literal["none", "hook", "jsonrpc", "approval-mirror", "sse-permission"]
    resume: Literal["none", "warm-reattach", "cold-only"]
    model_family: Literal["claude", "gpt", "gemini", "multi"]
    auth: Literal["omnigent-credential", "own-auth", "session-scoped-config"]
    subagents: bool
    interrupt: bool
    streaming: bool
    steering: bool
    images: bool
    compaction: bool


class HarnessShape(Shape):
    """A harness; `readiness` is by host."""

    id: str
    label: str
    capabilities: CapabilityShape
    setup_steps: list[str]
    readiness: dict[str, str]


class HarnessList(Shape):
    """All harnesses, and what to do for any of them."""

    data: list[HarnessShape]
    setup_steps: list[str]


class SkillShape(Shape):
    """A skill that people may call."""

    name: str
    description: str
    display_name: str | None


class SkillList(Shape):
    """Skills, all of them."""

    object: Literal["list"]
    data: list[SkillShape]
