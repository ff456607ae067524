"""Variables stand for values only where a secret belongs, and only when somebody asks for it."""

from typing import Any

import pytest

from omnigent.spec import SpecError, parse_spec
from omnigent.spec.variables import expanded
from tests.spec.documents import config, directory

EVERYWHERE: dict[str, Any] = directory(
    description="$SECRET",
    prompt="Tell me ${SECRET}",
    executor={
        "config": {"harness": "openai-chat", "extra": "$SECRET"},
        "model": "$SECRET",
        "connection": {"base_url": "https://${HOST}/v1", "deep": [{"key": "$SECRET"}], "count": 3},
        "auth": {"type": "api_key", "api_key": "${SECRET}", "base_url": "$HOST", "other": "$SECRET"},
    },
    policies={"p": {"type": "function", "handler": "a.b", "factory_params": {"text": "$SECRET"}}},
    tools={
        "web": {"type": "mcp", "url": "https://$HOST/x", "headers": {"A": "Bearer ${SECRET}"}},
        "run": {"type": "mcp", "command": "$SECRET", "args": ["$SECRET"], "env": {"K": "$SECRET$HOST"}},
        "builtins": [{"name": "memory", "api_key": "${SECRET}", "nested": {"list": ["$HOST"]}}],
    },
)
ENVIRONMENT = {"SECRET": "s3cret", "HOST": "host.test"}


def test_the_named_places_are_expanded() -> None:
    spec = expanded(parse_spec(EVERYWHERE), ENVIRONMENT)
    web, run = spec.mcp_servers

    assert spec.connection == {"base_url": "https://host.test/v1", "deep": [{"key": "s3cret"}], "count": 3}
    assert (spec.auth["api_key"], spec.auth["base_url"]) == ("s3cret", "host.test")
    assert (web.url, web.headers) == ("https://host.test/x", {"A": "Bearer s3cret"})
    assert run.env == {"K": "s3crethost.test"}
    assert spec.builtin_tools[0].config == {"api_key": "s3cret", "nested": {"list": ["host.test"]}}


def test_no_other_place_is() -> None:
    written = parse_spec(EVERYWHERE)
    spec = expanded(written, ENVIRONMENT)

    assert (spec.description, spec.instructions, spec.model) == ("$SECRET", "Tell me ${SECRET}", "$SECRET")
    assert spec.config == {"extra": "$SECRET"}
    assert spec.auth["other"] == "$SECRET"
    assert spec.policies == written.policies
    assert (spec.mcp_servers[1].command, spec.mcp_servers[1].args) == ("$SECRET", ("$SECRET",))
    assert spec.raw == written.raw


def test_reading_a_document_expands_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "s3cret")

    assert "s3cret" not in repr(parse_spec(EVERYWHERE))


def test_the_llm_block_is_expanded_like_the_executor_it_belongs_to() -> None:
    spec = parse_spec(directory(llm={"model": "m", "connection": {"api_key": "$SECRET"}}))

    assert expanded(spec, ENVIRONMENT).connection == {"api_key": "s3cret"}


def test_every_variable_that_is_not_set_is_named_with_its_key_and_no_value() -> None:
    with pytest.raises(SpecError) as caught:
        expanded(parse_spec(EVERYWHERE), {"HOST": "host.test"})

    assert caught.value.problems == (
        "executor.auth.api_key: the variable SECRET is not set",
        "executor.connection.deep[0].key: the variable SECRET is not set",
        "mcp_servers['web'].headers.A: the variable SECRET is not set",
        "mcp_servers['run'].env.K: the variable SECRET is not set",
        "tools.builtins['memory'].api_key: the variable SECRET is not set",
    )
    assert "host.test" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A", "1"), ("${A}", "1"), ("$A$A", "11"), ("x$A-y", "x1-y"), ("${A}B", "1B"), ("$AB", "2"),
        ("$", "$"), ("$$", "$$"), ("5$", "5$"), ("$5", "$5"), ("${}", "${}"), ("${A", "${A"),
        ("${ A }", "${ A }"),
        ("${A:-x}", "${A:-x}"), ("$É", "$É"), ("$AGAIN", "$A"), ("$EMPTY.", "."),
    ],
)  # fmt: skip
def test_what_counts_as_a_variable(text: str, expected: str) -> None:
    environment = {"A": "1", "AB": "2", "AGAIN": "$A", "EMPTY": ""}
    spec = parse_spec(directory(llm={"model": "m", "connection": {"k": text}}))

    assert expanded(spec, environment).connection == {"k": expected}


def test_a_sub_agent_asks_for_its_variables_when_it_runs() -> None:
    files = {"agents/x/config.yaml": config(more="llm: {model: m, connection: {k: $SECRET}}\n")}
    spec = expanded(parse_spec(directory(), files), {})

    (child,) = spec.sub_agents
    assert child.connection == {"k": "$SECRET"}
    assert expanded(child, ENVIRONMENT).connection == {"k": "s3cret"}
