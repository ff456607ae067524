"""Why nothing is run."""


class SandboxError(Exception):
    """The confinement that an agent asks for cannot be had; the message is for its author."""
