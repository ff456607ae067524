"""What the log keeps of an event: no secret of any known shape, and never more than its room."""

import json
import time
from typing import Any

import pytest
from pytest_django import Settings

from policies_app.services.inputs import digest_of, kept_input, redacted

# Built from parts, so that no scanner takes this file for a leak.
AWS = "AKIA" + "ABCDEFGHIJKLMNOP"
GITHUB = "ghp_" + "a1B2" * 9
GITHUB_FINE = "github_pat_" + "a1B2c3" * 8
OPENAI = "sk-" + "proj-" + "Ab1_" * 10
ANTHROPIC = "sk-" + "ant-api03-" + "Zz9-" * 10
SLACK = "xoxb-" + "123456789012-abcdef"
GOOGLE = "AIza" + "b" * 35
JWT = "eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxIn0" + ".c2lnbmF0dXJl"
PEM = "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nhunter2\n-----END RSA PRIVATE KEY-----"
PASSWORD = "hunter2"


def call(command: str) -> dict[str, Any]:
    return {
        "type": "tool_call",
        "target": "Bash",
        "data": {"name": "Bash", "arguments": {"command": command}},
    }


@pytest.mark.parametrize(
    ("secret", "command"),
    [
        (AWS, f"aws configure set id {AWS}"),
        (GITHUB, f"git clone https://x:{GITHUB}@github.com/a/b"),
        (GITHUB, f"echo {GITHUB} | gh auth login"),
        (GITHUB_FINE, f"export X={GITHUB_FINE}"),
        (OPENAI, f"curl -d '{OPENAI}'"),
        (ANTHROPIC, f"run {ANTHROPIC}"),
        (SLACK, f"post {SLACK}"),
        (GOOGLE, f"maps {GOOGLE}"),
        (JWT, f"jwt {JWT}"),
        ("hunter2", f"cat <<E\n{PEM}\nE"),
        ("hunter2", PEM.partition("-----END")[0]),
        ("abcdef0123456789", "curl -H 'Authorization: Bearer abcdef0123456789' x"),
        ("dXNlcjpwYXNz", "curl -H 'Authorization: Basic dXNlcjpwYXNz' x"),
        ("abcdef", 'curl -H "x-api-key: abcdef" x'),
        ("sid=abc", "curl -H 'Cookie: sid=abc; b=c' x"),
        (PASSWORD, f"psql postgres://joe:{PASSWORD}@db/x"),
        (PASSWORD, f"PGPASSWORD={PASSWORD} psql"),
        (PASSWORD, f"export DB_PASSWORD='{PASSWORD} x'"),
        (PASSWORD, f"mysql --password={PASSWORD}"),
        (PASSWORD, f"mysql --password {PASSWORD}"),
        (PASSWORD, f"curl -u joe:{PASSWORD} x"),
        (PASSWORD, f"curl --user joe:{PASSWORD} x"),
        (PASSWORD, f"curl x?access_token={PASSWORD}&y=1"),
        (PASSWORD, f'curl -d \'{{"password": "{PASSWORD}"}}\''),
        (PASSWORD, f'curl -d "{{\\"client_secret\\": \\"{PASSWORD}\\"}}"'),
        (PASSWORD, f"api_key: {PASSWORD}"),
    ],
)
def test_secret_in_a_command_is_masked(secret: str, command: str) -> None:
    copied = redacted(call(command))

    assert secret not in json.dumps(copied)
    assert "[redacted]" in copied["data"]["arguments"]["command"]


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "Authorization",
        "api_key",
        "apiKey",
        "X-API-Key",
        "secret",
        "clientSecret",
        "token",
        "refresh_token",
        "private_key",
        "Cookie",
        "passphrase",
        "credentials",
        "aws_secret_access_key",
    ],
)
@pytest.mark.parametrize("value", ["plain words", 123456, ["a"], {"b": "c"}], ids=str)
def test_member_with_a_secret_name_is_masked_whole(name: str, value: Any) -> None:
    event = call("ls")
    event["data"]["arguments"] = {name: value, "path": "kept"}

    assert redacted(event)["data"]["arguments"] == {name: "[redacted]", "path": "kept"}


@pytest.mark.parametrize(
    "command",
    [
        "ls -la /tmp && cat README.md",
        "grep -rn 'tokenizer' src | head -20",
        "git push origin feature/sk-lint --force",
        "curl https://example.com/a@b?x=1",
        "pytest -k 'test_password_reset' -u",
    ],
)
def test_ordinary_command_is_kept_as_it_is(command: str) -> None:
    assert redacted(call(command)) == call(command)


def test_usage_is_kept() -> None:
    usage = {"input_tokens": 12, "total_tokens": 15, "max_tokens": 4096, "total_cost_usd": 0.25}

    assert redacted({"context": {"usage": usage}}) == {"context": {"usage": usage}}


def test_long_text_is_cut_and_a_secret_at_the_cut_does_not_survive() -> None:
    text = "x " * 8180 + GITHUB + "y" * 100_000

    kept = redacted({"data": text})["data"]

    assert len(kept) <= 4096 + len("[cut]")
    assert kept.endswith("[cut]")
    assert GITHUB[:8] not in kept


def test_deep_wide_and_large_events_are_cut() -> None:
    deep: Any = "bottom"
    for _ in range(500):
        deep = {"a": [deep]}
    wide = {"data": list(range(100_000)), "more": {str(n): n for n in range(100_000)}}
    large = {"data": ["z" * 4000 for _ in range(150)]}

    for event in ({"data": deep}, wide, large):
        assert len(json.dumps(redacted(event))) < 80_000
    assert "bottom" not in json.dumps(redacted({"data": deep}))


def test_odd_values_become_json() -> None:
    odd = {"data": [float("nan"), float("inf"), 2**100, b"bytes", {1: {"x"}}, "\ud800", None, True]}

    copied = redacted(odd)

    assert json.loads(json.dumps(copied, allow_nan=False)) == copied
    assert copied["data"][2] == str(2**100)
    assert copied["data"][3:] == ["(bytes)", {"1": ["x"]}, "?", None, True]


@pytest.mark.parametrize(
    "piece", ["a", "a.", "password", "-----BEGIN A-----", "https://", "=", "bearer ", "-u "]
)
def test_hostile_text_is_masked_in_linear_time(piece: str) -> None:
    text = piece * (160_000 // len(piece))

    started = time.perf_counter()
    redacted({"data": text})

    # With a cost that grows by the square it would be minutes.
    assert time.perf_counter() - started < 30


def test_digest_is_of_the_whole_event_whatever_the_order_of_its_members() -> None:
    one, other = (
        {"type": "request", "data": {"a": 1, "b": PASSWORD}},
        {"data": {"b": PASSWORD, "a": 1}, "type": "request"},
    )

    assert digest_of(one) == digest_of(other) == digest_of({**one, "llm_client": object()})
    assert digest_of(one) != digest_of({"type": "request", "data": {"a": 1, "b": "hunter3"}})
    assert len(digest_of(one)) == 64


def test_setting_keeps_no_input_at_all(settings: Settings) -> None:
    assert kept_input(call("ls")) == call("ls")

    settings.OMNIGENT_DECISION_INPUTS = "none"

    assert kept_input(call("ls")) is None
