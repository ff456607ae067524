"""What a session runs with: its own settings over the agent's, and a message's over both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from omnigent.runner.agents import LoadedAgent
from omnigent.runner.harnesses.base import ToolSchema
from omnigent.runner.harnesses.patience import Patience
from omnigent.runner.harnesses.registry import Models
from omnigent.runner.turn import TurnSettings
from omnigent.spec.types import AgentSpec

PROTOCOL_VERSION = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """The session's own settings, from its snapshot."""

    agent_id: str | None = None
    sub_agent_name: str | None = None
    workspace: str | None = None
    model_override: str | None = None
    reasoning_effort: str | None = None
    harness_override: str | None = None

    @classmethod
    def of_snapshot(cls, snapshot: Mapping[str, Any]) -> "Profile":
        names = cls.__dataclass_fields__
        return cls(**{name: value for name in names if isinstance(value := snapshot.get(name), str)})

    @classmethod
    def of_init(cls, body: Mapping[str, Any]) -> "Profile | None":
        """The settings in a session's init, None when its envelope is missing or of another version."""
        envelope = body.get("session_init")
        if not isinstance(envelope, Mapping) or envelope.get("protocol_version") != PROTOCOL_VERSION:
            return None
        snapshot = envelope.get("snapshot")
        if not isinstance(snapshot, Mapping):
            return None
        return cls.of_snapshot(snapshot).with_ids(body)

    def with_ids(self, body: Mapping[str, Any]) -> "Profile":
        ids = {name: body[name] for name in ("agent_id", "sub_agent_name") if isinstance(body.get(name), str)}
        return replace(self, **ids)

    def harness_of(self, agent: LoadedAgent) -> str:
        """The harness of a message that names none."""
        spec = agent.for_sub_agent(self.sub_agent_name)
        return self.harness_override or spec.harness_id or "scripted"

    def turn_settings(
        self,
        agent: LoadedAgent,
        message: Mapping[str, Any],
        models: Models,
        tools: Sequence[ToolSchema] = (),
    ) -> TurnSettings:
        """The settings of a turn that this message starts, with these tools beside the client's."""
        spec = agent.for_sub_agent(self.sub_agent_name)
        harness = _text(message, "harness_override") or self.harness_of(agent)
        reasoning = message.get("reasoning")
        effort = _text(reasoning, "effort") if isinstance(reasoning, Mapping) else None
        model = _text(message, "model_override") or self.model_override or spec.model
        return TurnSettings(
            agent=_text(message, "model") or spec.name,
            harness=harness,
            model=model or models.default_model(harness),
            instructions=_text(message, "instructions") or spec.instructions,
            tools=tuple(tools),
            client_tools=_client_tools(spec, message.get("tools"), {tool.name for tool in tools}),
            reasoning_effort=effort or self.reasoning_effort or spec.reasoning_effort,
            max_samples=spec.max_iterations,
            fallback_models=spec.fallback_models,
            patience=Patience.of(spec),
        )


def _text(mapping: Mapping[str, Any], key: str) -> str | None:
    value = mapping.get(key)
    return value if isinstance(value, str) and value else None


def _client_tools(spec: AgentSpec, tools: object, taken: set[str]) -> Sequence[ToolSchema]:
    """The tools that a client answers: those of the agent, then those of the message, in either of OpenAI's
    spellings. A name that the agent's own tools have, or one before it, is left out.
    """
    schemas: list[ToolSchema] = []
    for declared in spec.function_tools:
        if declared.runtime == "client" and declared.name not in taken:
            schemas.append(
                ToolSchema(
                    name=declared.name,
                    description=declared.description or "",
                    parameters={"type": "object", **(declared.parameters or {})},
                )
            )
            taken = taken | {declared.name}
    for entry in tools if isinstance(tools, list) else ():
        nested = entry.get("function") if isinstance(entry, Mapping) else None
        tool = nested if isinstance(nested, Mapping) else entry
        if isinstance(tool, Mapping) and (name := _text(tool, "name")) and name not in taken:
            taken = taken | {name}
            parameters = tool.get("parameters")
            schemas.append(
                ToolSchema(
                    name=name,
                    description=_text(tool, "description") or "",
                    parameters=parameters if isinstance(parameters, Mapping) else {"type": "object"},
                )
            )
    return schemas
