"""Which handlers there are, and what the operator's config file says of policies; built at the start."""

import importlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.apps import apps

from omnigent.outbound import OutboundRules
from omnigent.policies.chat_model import ModelConfig
from omnigent.policies.params import problems as params_problems
from omnigent.policies.registry import Registry, build_registry
from omnigent.spec.document import load_mapping
from omnigent.spec.parts import policies as declared_policies
from omnigent.spec.reader import Reader
from omnigent.spec.types import BundleError, PolicyDecl

KNOWN_KEYS = frozenset({"policies", "policy_modules", "llm"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Catalogue:
    """The registry, the policies of the config file in its order, and `llm:` as it stands there.

    `outbound` says which addresses url policies may use. The rest is what is wrong, in words: `problems` with
    the file, `missing` modules that cannot be used, and `outbound_problem`.
    """

    registry: Registry
    config_policies: tuple[PolicyDecl, ...] = ()
    llm: dict[str, Any] = field(default_factory=dict)
    outbound: OutboundRules = field(default_factory=OutboundRules)
    outbound_problem: str = ""
    problems: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


def catalogue() -> Catalogue:
    """The one of this process."""
    found: Catalogue = apps.get_app_config("policies_app").catalogue  # type: ignore[attr-defined]  # PoliciesConfig
    return found


def build_catalogue(
    *,
    modules: Sequence[str] = (),
    config_file: str = "",
    allowed: Sequence[str] = (),
    ports: Sequence[str] = ("443",),
) -> Catalogue:
    """Read the file and import the modules. What cannot be used is named and left out.

    `allowed` and `ports` are the operator's exceptions for url policies; a wrong one leaves none.
    """
    found: list[str] = []
    data = _read(config_file, found) if config_file else {}
    reader = Reader(data, "", found)
    found += [f"{key}: unknown key" for key in data if key not in KNOWN_KEYS]
    policies = declared_policies(reader)
    named = tuple(dict.fromkeys((*modules, *(reader.texts("policy_modules") or ()))))
    llm = reader.mapping("llm")
    try:
        ModelConfig.read(llm, os.environ)
    except ValueError as error:
        found.append(str(error))
        llm = {}
    registry = build_registry(named)
    for policy in policies:
        found += policy_problems(registry, policy)
    outbound, outbound_problem = _rules(allowed, ports)
    return Catalogue(
        registry=registry,
        outbound=outbound,
        outbound_problem=outbound_problem,
        config_policies=policies,
        llm=llm,
        problems=tuple(found),
        missing=tuple(words for name in named if (words := _module_problem(name))),
    )


def policy_problems(registry: Registry, policy: PolicyDecl) -> list[str]:
    """Why a declared policy cannot be applied, in words."""
    entry = registry.get(policy.handler)
    if entry is None:
        return [f"policy {policy.name!r}: handler {policy.handler!r} is not registered"]
    return [f"policy {policy.name!r}: {words}" for words in params_problems(entry, policy.factory_params)]


def _rules(allowed: Sequence[str], ports: Sequence[str]) -> tuple[OutboundRules, str]:
    try:
        return OutboundRules.parse(allowed, [int(port) for port in ports]), ""
    except ValueError as error:
        return OutboundRules(), str(error)


def _read(config_file: str, found: list[str]) -> dict[str, Any]:
    path = Path(config_file).expanduser()
    try:
        return load_mapping(path.read_bytes(), name=path.name)
    except (OSError, BundleError) as error:
        found.append(str(error))
        return {}


def _module_problem(name: str) -> str:
    """What keeps a module's handlers out; the registry has logged the traceback."""
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - the operator's code, whatever it does
        return f"{name} cannot be imported: {type(error).__name__}: {error}"
    is_listed = isinstance(getattr(module, "POLICY_REGISTRY", None), list | tuple)
    return "" if is_listed else f"{name} has no list POLICY_REGISTRY"
