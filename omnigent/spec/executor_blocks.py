"""The `executor:` and `llm:` blocks of an agent document: what runs the agent, and on which model."""

from dataclasses import replace

from omnigent.spec import harnesses
from omnigent.spec.reader import Reader
from omnigent.spec.tool_blocks import retry
from omnigent.spec.types import AgentSpec

EXECUTOR_TYPES = ("omnigent", "claude_sdk", "agents_sdk")
REASONING_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra")
PI_OPTIONS = ("context_files", "system_prompt_mode")
PROMPT_MODES = ("append", "replace")
AUTH_NEEDS = {"api_key": "api_key", "databricks": "profile", "provider": "name"}
# These sign in by their own means.
WITHOUT_PROFILE = frozenset({"claude-native", "claude-sdk", "codex"})

_LLM_KEYS = frozenset(
    ["model", "connection", "profile", "request_timeout", "retry", "fallback_models", "extras"]
)


def with_executor(spec: AgentSpec, read: Reader, parent: AgentSpec | None) -> AgentSpec:
    """The spec with everything that its executor says; `parent` is the agent that declares it inline."""
    written = read.data.get("executor")
    executor = Reader({}, "executor", read.problems) if isinstance(written, str) else read.inside("executor")
    if spec.shape == "directory" and isinstance(written, str):
        read.complain("executor", "must be a mapping, got text")
    nested = spec.shape == "directory" or (
        parent is not None
        and parent.shape == "directory"
        and not {"type", "config"}.isdisjoint(executor.data)
    )
    spec = _directory_form(spec, executor) if nested else _single_file_form(spec, executor)
    if isinstance(written, str) and spec.shape == "single-file":
        spec = replace(spec, model=written)
    spec = _with_model(_with_llm(spec, read), executor)
    if spec.harness is None and not nested:
        spec = replace(spec, harness=harnesses.inferred_from_model(spec.model or ""))
    if parent is not None:
        spec = _inherited(spec, parent)
    _check(spec, executor, nested=nested)
    return spec


def _directory_form(spec: AgentSpec, executor: Reader) -> AgentSpec:
    config = executor.inside("config")
    executor_type = executor.choice("type", EXECUTOR_TYPES) or "omnigent"
    if executor_type == "claude_sdk" and executor.data.get("connection"):
        executor.complain("connection", "not allowed with type claude_sdk")
    _check_pi_options(config)
    return replace(
        spec,
        executor_type=executor_type,
        harness=config.text("harness"),
        config={key: value for key, value in executor.strings("config").items() if key != "harness"},
    )


def _single_file_form(spec: AgentSpec, executor: Reader) -> AgentSpec:
    for key in ("type", "config"):
        if key in executor.data:
            executor.complain(key, "belongs to config.yaml (spec_version 1), not to the single-file form")
    _check_pi_options(executor)
    options = {key: value for key in PI_OPTIONS if (value := executor.text(key)) is not None}
    return replace(spec, harness=executor.text("harness"), config=options)


def _check_pi_options(read: Reader) -> None:
    read.flag("context_files", default=True)
    read.choice("system_prompt_mode", PROMPT_MODES)


def _with_llm(spec: AgentSpec, read: Reader) -> AgentSpec:
    """The older block, which the executor's own keys override."""
    if read.data.get("llm") is None:
        return spec
    llm = read.inside("llm")
    model = llm.text("model")
    if not model and llm.data:
        llm.complain("model", "required")
    others = {key: value for key, value in llm.data.items() if key not in _LLM_KEYS}
    return replace(
        _with_calls(spec, llm),
        model=model or spec.model,
        connection=llm.mapping("connection"),
        profile=llm.text("profile"),
        model_options={**others, **llm.mapping("extras")},
    )


def _with_model(spec: AgentSpec, executor: Reader) -> AgentSpec:
    auth = executor.inside("auth")
    declared = auth.choice("type", tuple(AUTH_NEEDS))
    if declared is not None and not auth.text(AUTH_NEEDS[declared]):
        auth.complain(AUTH_NEEDS[declared], f"required for type {declared}")
    return replace(
        _with_calls(spec, executor),
        model=executor.text("model") or spec.model,
        reasoning_effort=executor.choice("reasoning_effort", REASONING_EFFORTS),
        context_window=executor.integer("context_window", minimum=1),
        timeout=executor.number("timeout", minimum=0) or spec.timeout,
        max_iterations=executor.integer("max_iterations", minimum=1) or spec.max_iterations,
        connection=executor.mapping("connection") or spec.connection,
        auth=auth.data,
        profile=executor.text("profile") or spec.profile,
    )


def _with_calls(spec: AgentSpec, block: Reader) -> AgentSpec:
    return replace(
        spec,
        request_timeout=block.number("request_timeout", minimum=0) or spec.request_timeout,
        retry=retry(block, "retry", spec.retry),
        fallback_models=block.texts("fallback_models") or spec.fallback_models,
    )


def _inherited(spec: AgentSpec, parent: AgentSpec) -> AgentSpec:
    if spec.harness is None and spec.executor_type == "omnigent":
        spec = replace(spec, harness=parent.harness, executor_type=parent.executor_type)
    if spec.profile is None and spec.harness_id not in WITHOUT_PROFILE:
        spec = replace(spec, profile=parent.profile)
    return spec


def _check(spec: AgentSpec, executor: Reader, *, nested: bool) -> None:
    key = "config.harness" if nested else "harness"
    accepted = ", ".join(sorted(harnesses.known()))
    if spec.harness is None and spec.executor_type == "omnigent":
        executor.complain(key, f"required, one of {accepted}")
    elif spec.harness is not None and harnesses.canonical(spec.harness) is None:
        executor.complain(key, f"unknown harness {spec.harness[:100]!r}, one of {accepted}")
