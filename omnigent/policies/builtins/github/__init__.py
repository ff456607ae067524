"""What agents may do on GitHub. Operators' own policies may use the readers of calls and command lines."""

from omnigent.policies.builtins.github.access import Operation
from omnigent.policies.builtins.github.commands import command_operations
from omnigent.policies.builtins.github.parameters import PARAMS_SCHEMA
from omnigent.policies.builtins.github.policy import github_policy
from omnigent.policies.builtins.github.tools import tool_operation

__all__ = ["POLICY_REGISTRY", "Operation", "command_operations", "github_policy", "tool_operation"]

POLICY_REGISTRY = [
    {
        "handler": "omnigent.policies.builtins.github.github_policy",
        "kind": "factory",
        "name": "GitHub access",
        "description": (
            "Hold GitHub tools and git and gh commands to some repositories and branches. Deletions, force "
            "pushes and tags are denied unless allowed. Commands that cannot be read are asked about."
        ),
        "params_schema": PARAMS_SCHEMA,
    }
]
