"""Whose agent it is: only the operator's may have variables of this machine."""

import httpx
import pytest

from omnigent.runner.agents import Agents
from omnigent.spec import bundle
from tests.runner.api_rig import Server, make_api

DOCUMENT = b"spec_version: 1\nname: helper\nprompt: p\nexecutor: {config: {harness: scripted}}\n"


@pytest.mark.parametrize(
    ("headers", "is_operators"),
    [
        ({"X-Agent-Session-Scoped": "false"}, True),
        ({"X-Agent-Session-Scoped": "true"}, False),
        ({"X-Agent-Session-Scoped": "maybe"}, False),
        ({}, False),
    ],
    ids=["the operator's", "a session's", "another word", "not told"],
)
async def test_the_server_says_whose_agent_it_is(headers: dict[str, str], is_operators: bool) -> None:
    data = bundle.pack({"config.yaml": DOCUMENT})
    api = make_api(Server(contents=[httpx.Response(200, content=data, headers=headers)]))

    assert (await Agents(api).load("conv_1")).is_operators is is_operators
    await api.close()


async def test_the_same_content_may_belong_to_both() -> None:
    data = bundle.pack({"config.yaml": DOCUMENT})
    answers = [
        httpx.Response(200, content=data, headers={"X-Agent-Session-Scoped": scoped})
        for scoped in ("false", "true", "false")
    ]
    api = make_api(Server(contents=list(answers)))
    agents = Agents(api)

    loaded = [(await agents.load("conv_1")).is_operators for _ in range(3)]

    assert loaded == [True, False, True]
    await api.close()
