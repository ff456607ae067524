"""Every block of a document is read into typed fields, with the documented defaults for what is left out."""

from typing import Any

import pytest

from omnigent.spec import AgentSpec, parse_spec
from omnigent.spec.types import (
    Compaction,
    Interaction,
    OsEnv,
    Param,
    Retry,
    Sandbox,
    Terminal,
    WritePath,
)
from tests.spec.documents import directory, single

SANDBOX: dict[str, Any] = {
    "type": "linux_bwrap",
    "allow_network": False,
    "read_paths": ["/opt/sdk"],
    "write_paths": ["out", {"path": "src", "copy_on_write": True}, {"path": "tmp"}],
    "write_files": ["log.txt"],
    "mask_paths": ["secrets"],
    "env_passthrough": ["PATH", "LANG"],
    "cwd_allow_hidden": [".github"],
    "cwd_hidden_scan_max_entries": 10,
    "cwd_hidden_scan_overflow": "error",
    "cwd_hidden_scan_recursive": True,
    "egress_rules": ["GET api.test/*"],
    "egress_allow_private_destinations": True,
    "credential_proxy": {"https_bearer": {}},
}


def test_an_agent_that_says_little_has_the_documented_defaults() -> None:
    spec = parse_spec(directory())

    assert spec == AgentSpec(name="a", harness="scripted", raw=directory())
    assert (spec.timeout, spec.request_timeout, spec.max_iterations, spec.tool_timeout) == (
        3600,
        None,
        1000,
        60,
    )
    assert spec.retry == Retry(
        max_retries=7, backoff_base_s=2, backoff_max_s=60, jitter=True, timeout_per_request_s=120,
        retryable_status_codes=(429, 500, 502, 503, 504),
    )  # fmt: skip
    assert (spec.tool_retry.max_retries, spec.tool_retry.backoff_base_s, spec.tool_retry.backoff_max_s) == (
        1,
        1,
        10,
    )
    assert (spec.async_tools, spec.cancellable, spec.timers, spec.spawn) == (True, True, False, False)
    assert (spec.sharing, spec.host_skills) == ("none", "all")
    assert spec.interaction == Interaction(
        conversational=True, input_modalities=("text",), output_modalities=("text",)
    )
    assert spec.compaction == Compaction(trigger_threshold=0.8, recent_window=5)


def test_os_env() -> None:
    env = parse_spec(directory(os_env={"cwd": "src", "fork": True, "sandbox": SANDBOX})).os_env

    assert env == OsEnv(
        type="caller_process",
        cwd="src",
        fork=True,
        sandbox=Sandbox(
            type="linux_bwrap",
            allow_network=False,
            read_paths=("/opt/sdk",),
            write_paths=(
                WritePath(path="out"),
                WritePath(path="src", copy_on_write=True),
                WritePath(path="tmp"),
            ),
            write_files=("log.txt",),
            mask_paths=("secrets",),
            env_passthrough=("PATH", "LANG"),
            cwd_allow_hidden=(".github",),
            cwd_hidden_scan_max_entries=10,
            cwd_hidden_scan_overflow="error",
            cwd_hidden_scan_recursive=True,
            egress_rules=("GET api.test/*",),
            egress_allow_private_destinations=True,
            options=SANDBOX,
        ),
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [({}, None), ({"type": None}, "none"), ({"type": "none"}, "none"), ({"type": "auto"}, "auto")],
    ids=["absent", "null", "none", "auto"],
)
def test_the_type_of_a_sandbox(written: dict[str, Any], expected: str | None) -> None:
    env = parse_spec(directory(os_env={"sandbox": written})).os_env

    assert env is not None
    assert env.sandbox.type == expected
    assert (env.sandbox.allow_network, env.sandbox.env_passthrough) == (True, None)


@pytest.mark.parametrize(
    ("written", "expected"), [(True, ("*",)), (False, ()), ([".x"], (".x",)), (".x", (".x",))], ids=str
)
def test_hidden_entries_of_the_working_directory(written: object, expected: tuple[str, ...]) -> None:
    env = parse_spec(directory(os_env={"sandbox": {"cwd_allow_hidden": written}})).os_env

    assert env is not None
    assert env.sandbox.cwd_allow_hidden == expected


def test_os_env_may_be_a_word_in_a_single_file() -> None:
    assert parse_spec(single(os_env="caller_process")).os_env == OsEnv(type="caller_process")


def test_terminals() -> None:
    spec = parse_spec(
        directory(
            os_env={"cwd": "src"},
            terminals={
                "plain": {},
                "full": {
                    "command": "zsh",
                    "args": ["-l"],
                    "env": {"A": 1},
                    "env_unset": ["B"],
                    "inherit_env": False,
                    "os_env": "inherit",
                    "allow_cwd_override": True,
                    "allow_sandbox_override": True,
                    "log_file": "x.log",
                    "scrollback": 0,
                    "session_prefix": "",
                    "tmux_allow_passthrough": True,
                    "tmux_start_on_attach": True,
                    "keep_alive_after_exit": True,
                },
                "own": {"os_env": {"cwd": "elsewhere"}},
            },
        )
    )

    assert spec.terminals == {
        "plain": Terminal(),
        "full": Terminal(
            command="zsh",
            args=("-l",),
            env={"A": "1"},
            env_unset=("B",),
            inherit_env=False,
            os_env=spec.os_env,
            allow_cwd_override=True,
            allow_sandbox_override=True,
            log_file="x.log",
            scrollback=0,
            session_prefix="",
            tmux_allow_passthrough=True,
            tmux_start_on_attach=True,
            keep_alive_after_exit=True,
        ),
        "own": Terminal(os_env=OsEnv(cwd="elsewhere")),
    }
    assert (Terminal().scrollback, Terminal().session_prefix) == (10_000, "omni_")


def test_the_executor() -> None:
    executor = {
        "config": {"harness": "openai-chat", "permission_mode": "plan", "use_responses": True},
        "model": "m", "reasoning_effort": "xhigh", "timeout": 9, "max_iterations": 3, "context_window": 7,
        "connection": {"base_url": "u"}, "auth": {"type": "provider", "name": "n"}, "profile": "p",
    }  # fmt: skip
    spec = parse_spec(directory(executor=executor))

    assert spec.config == {"permission_mode": "plan", "use_responses": "true"}
    assert (spec.model, spec.reasoning_effort, spec.profile) == ("m", "xhigh", "p")
    assert (spec.timeout, spec.max_iterations, spec.context_window) == (9, 3, 7)
    assert (spec.connection, spec.auth) == ({"base_url": "u"}, {"type": "provider", "name": "n"})


def test_the_llm_block_gives_what_the_executor_leaves_out() -> None:
    llm = {
        "model": "old", "connection": {"key": "k"}, "profile": "p", "request_timeout": 10,
        "retry": {"max_retries": 20}, "fallback_models": ["f", "g"], "extras": {"top_p": 1}, "temperature": 0,
    }  # fmt: skip
    spec = parse_spec(directory(llm=llm))
    overridden = parse_spec(directory(llm=llm, executor={"config": {"harness": "pi"}, "model": "new"}))

    assert (spec.model, spec.connection, spec.profile) == ("old", {"key": "k"}, "p")
    assert (spec.request_timeout, spec.retry.max_retries, spec.fallback_models) == (10, 20, ("f", "g"))
    assert spec.model_options == {"temperature": 0, "top_p": 1}
    assert (overridden.model, overridden.connection) == ("new", {"key": "k"})


def test_the_smaller_blocks() -> None:
    spec = parse_spec(
        directory(
            interaction={
                "conversational": False,
                "modalities": {"input": ["text", "file"], "output": ["audio"]},
            },
            compaction={"trigger_threshold": 1, "recent_window": 0},
            params={"depth": {"type": "integer", "description": "How deep.", "default": 3}, "short": "x"},
            agent_session_sharing="non-public",
            timers=True,
            cancellable=False,
            **{"async": False},
        )
    )

    assert spec.interaction == Interaction(
        conversational=False, input_modalities=("text", "file"), output_modalities=("audio",)
    )
    assert spec.compaction == Compaction(trigger_threshold=1, recent_window=0)
    assert spec.params == {
        "depth": Param(type="integer", description="How deep.", default=3),
        "short": Param(default="x"),
    }
    assert (spec.sharing, spec.timers, spec.cancellable, spec.async_tools) == (
        "non-public",
        True,
        False,
        False,
    )


def test_a_single_file_may_say_async_enabled_and_options_of_its_harness() -> None:
    executor = {"harness": "pi", "context_files": False, "system_prompt_mode": "replace"}
    spec = parse_spec(single(async_enabled=False, executor=executor))

    assert spec.async_tools is False
    assert spec.config == {"context_files": "false", "system_prompt_mode": "replace"}
