"""Why nothing is run."""

from omnigent.runner.agents import AgentInvalid


class SandboxError(AgentInvalid):
    """The confinement that an agent asks for cannot be had; the message is for its author."""
