"""What an upload may not bring along to a server that many people share."""

from typing import Any

import pytest

from agents_app.models import Agent
from tests.agents.registry import Registry, directory, part
from tests.error_shape import assert_error

KNOWN = {"type": "function", "handler": "omnigent.policies.ask_on_os_tools"}
UNKNOWN = {"type": "function", "handler": "os.system"}
CHILD = b"""spec_version: 1
name: child
executor: {type: omnigent, config: {harness: scripted}}
os_env: {cwd: /}
"""
REFUSED: dict[str, tuple[dict[str, Any], dict[str, bytes]]] = {
    "a handler nobody registered": ({"guardrails": {"policies": {"p": UNKNOWN}}}, {}),
    "a server function": ({"tools": {"run": {"type": "function", "callable": "os.system"}}}, {}),
    "a python tool": ({}, {"tools/python/run.py": b"def run(): pass"}),
    "a typescript tool": ({}, {"tools/typescript/run.ts": b"export {}"}),
    "an absolute directory": ({"os_env": {"cwd": "/etc"}}, {}),
    "a directory above": ({"os_env": {"cwd": "a/../../b"}}, {}),
    "a terminal elsewhere": ({"terminals": {"shell": {"os_env": {"cwd": "/"}}}}, {}),
    "a sub-agent elsewhere": ({}, {"agents/child/config.yaml": CHILD}),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_it_is_refused_wherever_agents_come_in(olga: Registry, name: str) -> None:
    config, files = REFUSED[name]
    good, bad = directory(), directory(files, **config)
    made = await olga.uploaded(good)

    answers = [
        await olga.post(bad),
        await olga.put(made["id"], bad),
        await olga.http.post("/v1/sessions", data={"metadata": "{}"}, files=part(bad)),
    ]

    for answer in answers:
        message = assert_error(answer, 400, "invalid_input")["error"]["message"]
        assert message.startswith("invalid agent spec: ")
    assert await olga.run(Agent.objects.count) == 1


@pytest.mark.parametrize("name", REFUSED)
async def test_the_only_user_may(registry: Registry, name: str) -> None:
    config, files = REFUSED[name]

    await registry.kept(directory(files, **config))


async def test_registered_handlers_and_inner_directories_are_taken(olga: Registry) -> None:
    config: dict[str, Any] = {"guardrails": {"policies": {"p": KNOWN}}, "os_env": {"cwd": "inner"}}

    await olga.kept(directory(**config))
