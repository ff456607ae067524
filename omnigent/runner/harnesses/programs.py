"""Finds the programs that harnesses drive."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_OF_THE_PROJECT: Final = Path(__file__).parents[3] / "node_modules" / ".bin"


def located(program: str, environment: Mapping[str, str]) -> str | None:
    """The path of a program: the PATH wins over what `make harnesses` has installed in the project."""
    found = shutil.which(program, path=environment.get("PATH", ""))
    return found or shutil.which(program, path=str(_OF_THE_PROJECT))
