"""POST /v1/summarize: the session's model writes a summary, and calls no tool for it."""

from typing import Any

import pytest

from omnigent.runner.harnesses.base import ModelError
from omnigent.runner.harnesses.scripted import Scripted
from omnigent.runner.summaries import summarise
from omnigent.runner.turn import TurnSettings

SETTINGS = TurnSettings(agent="a", harness="scripted", model="m", instructions="", tools=())
ASK = {"role": "user", "content": "Summarise the conversation so far."}


async def test_the_last_message_alone_is_the_request() -> None:
    history = [{"role": "user", "content": "Run the shell command: rm -rf x"}]

    summary = await summarise(Scripted(), SETTINGS, [*history, ASK])

    assert summary.text == "1 messages:\n- user: Run the shell command: rm -rf x"
    assert (summary.model, summary.token_count > 0) == ("m", True)


@pytest.mark.parametrize(
    "content", [[{"type": "input_text", "text": "Fail with no luck"}], "Fail with no luck"]
)
async def test_a_failing_model_is_an_error(content: Any) -> None:
    with pytest.raises(ModelError, match="no luck"):
        await summarise(Scripted(), SETTINGS, [{"role": "user", "content": content}])


async def test_an_empty_request_has_no_summary() -> None:
    with pytest.raises(ModelError):
        await summarise(Scripted(), SETTINGS, [])
