"""Agents made after descriptions of the released product's examples: each loads with its features."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from omnigent.policies.registry import build_registry
from omnigent.spec import AgentSpec, bundle
from omnigent.spec.variables import expanded

EXAMPLES = Path(__file__).parent / "examples"
NAMES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())


def files_of(name: str) -> dict[str, bytes]:
    root = EXAMPLES / name
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def load(name: str) -> AgentSpec:
    return bundle.read(bundle.pack(files_of(name)))


def handlers(spec: AgentSpec) -> list[str]:
    return [policy.handler.rpartition(".")[2] for policy in spec.policies]


def check_polly(spec: AgentSpec) -> None:
    assert spec.context_window == 1_000_000
    assert spec.config == {"smart_routing_harness": "auto"}
    assert (spec.timers, spec.spawn) == (True, True)
    assert list(spec.terminals) == ["shell", "zsh"]
    assert spec.terminals["zsh"].os_env == spec.os_env
    assert {skill.name for skill in spec.skills} == {"cross-review", "fanout", "investigate"}
    assert spec.instructions.startswith("You lead")
    assert {child.name: child.harness_id for child in spec.sub_agents} == {
        "antigravity": "antigravity-native", "claude": "claude-native", "codex": "codex-native",
        "cursor": "cursor-native", "hermes": "hermes", "opencode": "opencode-native", "pi": "pi",
    }  # fmt: skip
    assert (
        set(spec.callable_agents) == {tool.agent for tool in spec.agent_tools} and len(spec.agent_tools) == 7
    )
    below = {child.name: child for child in spec.sub_agents}
    assert below["claude"].config == {"permission_mode": "acceptEdits"}
    assert below["codex"].config == {"yolo": "true"}
    assert (below["cursor"].model, below["cursor"].config) == ("composer-1", {"yolo": "true"})
    assert handlers(spec) == ["blast_radius", "spawn_bounds", "headless_subagent_purpose_guard"]
    assert spec.policies[0].factory_params == {"gate_pushes": False}


def check_debby(spec: AgentSpec) -> None:
    assert [skill.name for skill in spec.skills] == ["debate"]
    assert {child.name: child.harness_id for child in spec.sub_agents} == {
        "claude": "claude-sdk",
        "gpt": "codex",
    }
    assert handlers(spec) == ["blast_radius"]


def check_deep_research(spec: AgentSpec) -> None:
    (server,) = spec.mcp_servers
    assert (server.transport, server.headers) == ("http", {"Authorization": "Bearer ${SEARCH_API_KEY}"})
    assert expanded(spec, {"SEARCH_API_KEY": "k"}).mcp_servers[0].headers == {"Authorization": "Bearer k"}
    assert spec.interaction.input_modalities == ("text", "file")
    assert spec.os_env is None
    assert [skill.name for skill in spec.skills] == ["report"]


def check_scribe(spec: AgentSpec) -> None:
    assert len(spec.skills) == 3
    assert {child.name: child.harness_id for child in spec.sub_agents} == {
        "researcher": "claude-sdk", "reviewer": "codex",
    }  # fmt: skip
    assert handlers(spec) == ["blast_radius"]


def check_sentinel(spec: AgentSpec) -> None:
    assert [skill.name for skill in spec.skills] == ["security-audit"]
    assert spec.callable_agents == ("scanner", "reviewer")
    assert spec.os_env is not None and spec.os_env.sandbox.type is None
    assert handlers(spec) == ["blast_radius", "read_only_os", "headless_subagent_purpose_guard"]


def check_remy(spec: AgentSpec) -> None:
    assert [tool.name for tool in spec.builtin_tools] == [
        "hindsight_recall", "hindsight_retain", "hindsight_reflect",
    ]  # fmt: skip
    assert spec.builtin_tools[0].config == {"api_key": "${HINDSIGHT_API_KEY}", "bank_id": "remy"}
    assert expanded(spec, {"HINDSIGHT_API_KEY": "k"}).builtin_tools[2].config["api_key"] == "k"


def check_aws_analyst(spec: AgentSpec) -> None:
    redshift, tables = spec.mcp_servers
    assert (redshift.name, redshift.transport, redshift.command) == ("redshift", "stdio", "uvx")
    assert redshift.tools == ("list_clusters", "list_tables", "execute_query")
    assert (tables.name, tables.tools) == ("s3-tables", None)


def check_kimi_hello(spec: AgentSpec) -> None:
    assert (spec.name, spec.shape, spec.harness_id) == ("kimi-hello", "single-file", "kimi")


CHECKS: Mapping[str, Callable[[AgentSpec], None]] = MappingProxyType(
    {
        "aws_analyst": check_aws_analyst,
        "debby": check_debby,
        "deep-research": check_deep_research,
        "kimi_hello": check_kimi_hello,
        "polly": check_polly,
        "remy": check_remy,
        "scribe": check_scribe,
        "sentinel": check_sentinel,
    }
)


@pytest.mark.parametrize("name", NAMES)
def test_it_loads_with_its_features(name: str) -> None:
    spec = load(name)

    assert spec.name.replace("-", "_") == name.replace("-", "_")
    assert spec.description
    assert spec.instructions.strip()
    assert spec.harness_id == ("kimi" if name == "kimi_hello" else "claude-sdk")
    assert spec.warnings == ()
    CHECKS[name](spec)


@pytest.mark.parametrize("name", NAMES)
def test_its_policies_resolve_to_our_own(name: str) -> None:
    registry = build_registry()

    for policy in load(name).policies:
        entry = registry.get(policy.handler)
        assert entry is not None, policy.handler
        assert entry.handler.startswith("omnigent.policies.builtins.orchestration.")


@pytest.mark.parametrize("name", NAMES)
def test_it_is_the_same_agent_from_files_and_from_an_archive(name: str) -> None:
    files = files_of(name)

    assert bundle.spec_of(files) == load(name)
    assert bundle.inspect(bundle.pack(files)).digest == bundle.digest(files)
