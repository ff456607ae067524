"""Read a command line the way a shell would, as far as that can be done without running anything."""

from omnigent.policies.shell.parsed import MAX_DEPTH, Parsed, Segment
from omnigent.policies.shell.parsing import SHELLS, parse

__all__ = ["MAX_DEPTH", "SHELLS", "Parsed", "Segment", "parse"]
