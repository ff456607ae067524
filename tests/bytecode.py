"""Where the processes of tests keep compiled modules: beside the packages, so that the tree stays clean.

Without a place of their own every server, host and runner would compile the whole product at its start.
"""

import sys
from collections.abc import Mapping
from pathlib import Path


def kept() -> Mapping[str, str]:
    """The variable that makes a Python process keep and find them."""
    return {"PYTHONPYCACHEPREFIX": str(Path(sys.prefix) / "pycache")}
