"""The model of the server's policies, against a server that speaks the vendor's protocol."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from omnigent.policies.builtins.prompt import prompt_policy
from omnigent.policies.chat_model import ChatModel, ModelConfig
from omnigent.policies.server_model import ModelAnswerError
from tests.model_server import Cut, Fail, Garbage, ModelServer, Text
from tests.policies import events


@pytest.fixture
async def server() -> AsyncIterator[ModelServer]:
    async with ModelServer() as server:
        yield server


@pytest.fixture
async def model(server: ModelServer) -> AsyncIterator[ChatModel]:
    config = ModelConfig(models=("first", "second"), base_url=f"{server.url}/v1", api_key="k")
    model = ChatModel(config)
    yield model
    await model.close()


async def test_a_policy_in_words_decides_by_what_the_model_answers(
    server: ModelServer, model: ChatModel
) -> None:
    server.script([Text('{"action": "deny", "reason": "not on Fridays"}')])

    answer = await prompt_policy(prompt="No deployments.")(events.shell("deploy") | {"llm_client": model})

    assert answer == {"result": "DENY", "reason": "not on Fridays"}
    [asked] = server.requests
    assert asked.headers["authorization"] == "Bearer k"
    assert asked.body["model"] == "first"


@pytest.mark.parametrize(
    "failing", [[Fail(status=500)], [Garbage()], [Cut()], [Text("")]], ids=lambda it: str(it[0])[:12]
)
async def test_the_next_model_is_asked_when_one_fails(
    server: ModelServer, model: ChatModel, failing: list[Any]
) -> None:
    server.script(failing)
    server.script([Text("yes")])

    assert await model.complete("Well?") == "yes"
    assert [request.body["model"] for request in server.requests] == ["first", "second"]


async def test_nobody_answers(server: ModelServer, model: ChatModel) -> None:
    server.script([Fail(status=500)])
    server.script([Fail(status=429)])

    with pytest.raises(ModelAnswerError, match="no model answered"):
        await model.complete("Well?")


@pytest.mark.parametrize(
    "block",
    [
        {"model": ""},
        {"fallback_models": ["x"]},
        {"model": "m", "connection": "https://x"},
        {"model": "m", "request_timeout": 0},
        {"model": "m", "request_timeout": True},
        {"model": "m", "fallback_models": [3]},
    ],
    ids=str,
)
def test_a_block_that_makes_no_sense_is_refused(block: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="llm:"):
        ModelConfig.read(block, {})


def test_the_key_comes_from_the_environment() -> None:
    block = {
        "model": "m",
        "fallback_models": ["n"],
        "connection": {"base_url": "http://x/v1", "api_key_env": "MINE"},
    }

    config = ModelConfig.read(block, {"MINE": "secret", "OPENAI_API_KEY": "other"})

    assert config == ModelConfig(models=("m", "n"), base_url="http://x/v1", api_key="secret")
    assert ModelConfig.read({}, {}) is None
