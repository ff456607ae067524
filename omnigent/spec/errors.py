"""What can be wrong with an agent that somebody wrote."""


class InvalidAgentError(ValueError):
    """What was given cannot become an agent."""


class BundleError(InvalidAgentError):
    """The archive or its YAML cannot be read at all; only the first fault is known."""

    def __init__(self, fault: str) -> None:
        super().__init__(f"invalid agent bundle: {fault}")
        self.fault = fault


class SpecError(InvalidAgentError):
    """The document was read but says something wrong; `problems` lists all of it as `path: why`."""

    def __init__(self, problems: tuple[str, ...], *, note: str = "") -> None:
        super().__init__("invalid agent spec: " + "; ".join(problems) + (f" ({note})" if note else ""))
        self.problems = problems
