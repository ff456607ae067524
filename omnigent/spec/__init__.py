"""Agent specifications: what an agent is, read from YAML or from a bundle. Pure, no I/O."""

from omnigent.spec.document import load_yaml
from omnigent.spec.errors import BundleError, InvalidAgentError, SpecError
from omnigent.spec.parser import parse_spec
from omnigent.spec.types import AgentSpec

__all__ = ["AgentSpec", "BundleError", "InvalidAgentError", "SpecError", "load_yaml", "parse_spec"]
