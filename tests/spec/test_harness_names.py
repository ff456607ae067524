"""Harnesses go by many spellings; what an author wrote is what is shown."""

from typing import Any

import pytest

from omnigent.spec import harnesses, parse_spec
from tests.spec.documents import directory, single


@pytest.mark.parametrize(
    ("executor", "model", "harness"),
    [
        ("claude-x", "claude-x", "claude-sdk"),
        ({"model": "gpt-9"}, "gpt-9", "openai-agents"),
        ({"model": "gpt-9", "harness": "openai-chat"}, "gpt-9", "openai-chat"),
    ],
)
def test_a_single_file_may_imply_its_harness_by_the_model(executor: Any, model: str, harness: str) -> None:
    spec = parse_spec(single(executor=executor))

    assert (spec.model, spec.harness) == (model, harness)


def test_executor_types_are_shown_as_they_were_written() -> None:
    spec = parse_spec(directory(executor={"type": "claude_sdk"}))

    assert (spec.public()["harness"], spec.harness_id) == ("claude_sdk", "claude-sdk")


@pytest.mark.parametrize(
    ("spelling", "canonical"),
    [("agy", "antigravity"), ("native-pi", "pi-native"), ("openai_responses", "openai-responses"),
     ("agents_sdk", "openai-agents"), ("acp:zed", "acp:zed"), ("acp:", None), ("zap", None)],
)  # fmt: skip
def test_harness_spellings(spelling: str, canonical: str | None) -> None:
    assert harnesses.canonical(spelling) == canonical


def test_every_spelling_leads_back_to_its_harness() -> None:
    for name in harnesses.CANONICAL:
        assert {harnesses.canonical(spelling) for spelling in harnesses.spellings(name)} == {name}
