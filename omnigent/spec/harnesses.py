"""The names a spec may give for its harness, and which of them mean the same one."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType

from omnigent.spec.contributions import GROUP, Contribution, discover

OURS = frozenset({"scripted", "openai-responses", "openai-chat", "anthropic"})

VENDOR = frozenset(
    [
        "acp",
        "antigravity",
        "antigravity-native",
        "claude-native",
        "claude-sdk",
        "codex",
        "codex-native",
        "copilot",
        "cursor",
        "cursor-native",
        "devin-native",
        "goose",
        "goose-native",
        "grok",
        "hermes",
        "hermes-native",
        "jcode",
        "kimi",
        "kimi-native",
        "kiro-native",
        "open-responses",
        "openai-agents",
        "opencode-native",
        "pi",
        "pi-native",
        "qwen",
        "qwen-native",
    ]
)

CANONICAL = OURS | VENDOR

# Underscore spellings need no row: they are read as hyphens first.
ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "claude": "claude-sdk",
        "agents-sdk": "openai-agents",
        "openai-agents-sdk": "openai-agents",
        "grok-build": "grok",
        "agy": "antigravity",
        "google-antigravity": "antigravity",
        "agy-native": "antigravity-native",
        "native-agy": "antigravity-native",
        "native-antigravity": "antigravity-native",
        "devin": "devin-native",
        "devin-acp": "devin-native",
        "github-copilot": "copilot",
        "kimi-code": "kimi",
        "qwen-code": "qwen",
        "opencode": "opencode-native",
        "native-devin": "devin-native",
        "native-goose": "goose-native",
        "native-hermes": "hermes-native",
        "native-kimi": "kimi-native",
        "native-kiro": "kiro-native",
        "native-opencode": "opencode-native",
        "native-pi": "pi-native",
        "native-qwen": "qwen-native",
    }
)

_BY_MODEL_PREFIX = (
    ("databricks-claude-", "claude-sdk"),
    ("anthropic/", "claude-sdk"),
    ("claude-", "claude-sdk"),
    ("databricks-gpt-", "openai-agents"),
    ("openai/gpt-", "openai-agents"),
    ("gpt-", "openai-agents"),
    ("xai/grok-", "openai-agents"),
)

_PROVIDERS: Mapping[str, str] = MappingProxyType(
    {
        "anthropic": "anthropic",
        "claude-native": "anthropic",
        "claude-sdk": "anthropic",
        "codex": "openai",
        "codex-native": "openai",
        "open-responses": "openai",
        "openai-agents": "openai",
        "openai-chat": "openai",
        "openai-responses": "openai",
    }
)


@cache
def installed() -> tuple[Contribution, ...]:
    """The harnesses that other packages bring; what is installed when this is first asked holds for good."""
    return discover(entry_points(group=GROUP), taken=CANONICAL | ALIASES.keys())


def known() -> frozenset[str]:
    """Every canonical name: the contract's, ours, and those of other packages."""
    return CANONICAL | {contribution.name for contribution in installed()}


@cache
def _aliases() -> Mapping[str, str]:
    brought = {alias: each.name for each in installed() for alias in each.aliases}
    return MappingProxyType({**ALIASES, **brought})


def canonical(name: str) -> str | None:
    """The one name a spelling stands for; `acp:<slug>` stands for itself; None when it is unknown."""
    if name.startswith("acp:") and len(name) > len("acp:"):
        return name
    hyphenated = name.replace("_", "-")
    resolved = _aliases().get(hyphenated, hyphenated)
    return resolved if resolved in known() else None


def provider_of(name: str) -> str:
    """Whose models a harness samples from; one that is known for no vendor is its own."""
    resolved = canonical(name) or name
    return _PROVIDERS.get(resolved, resolved.removesuffix("-native"))


def spellings(name: str) -> tuple[str, ...]:
    """Every accepted spelling of a canonical name, itself first; hosts report readiness for each."""
    hyphenated = (name, *(alias for alias, target in _aliases().items() if target == name))
    underscored = (spelling.replace("-", "_") for spelling in hyphenated)
    return tuple(dict.fromkeys((*hyphenated, *underscored)))


def inferred_from_model(model: str) -> str | None:
    """The harness a model name implies when a single-file agent names none."""
    return next((harness for prefix, harness in _BY_MODEL_PREFIX if model.startswith(prefix)), None)
