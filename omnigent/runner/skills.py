"""Skills that a person calls by a slash command: what they say, now and in the history."""

from collections.abc import Mapping, Sequence
from typing import Any

from omnigent.runner.agents import LoadedAgent
from omnigent.spec import calling

Item = Mapping[str, Any]


def resolve(agent: LoadedAgent, name: str, arguments: str) -> str:
    """What the model is told when this skill is called. Raises UnknownSkill."""
    return calling.call(agent.skills, name, arguments)


def spelled_out(items: Sequence[Item], agent: LoadedAgent) -> list[Item]:
    """The items with each call of a skill as the message that its turn began with.

    A command whose skill the agent has no more stays as it was typed.
    """
    return [_message(item, agent) if _is_skill(item) else item for item in items]


def _is_skill(item: Item) -> bool:
    return item.get("type") == "slash_command" and item.get("kind") == "skill"


def _message(item: Item, agent: LoadedAgent) -> Item:
    try:
        text = resolve(agent, str(item.get("name") or ""), str(item.get("arguments") or ""))
    except calling.UnknownSkill:
        return item
    content = [{"type": "input_text", "text": text}]
    return {"id": item.get("id"), "type": "message", "role": "user", "content": content}
