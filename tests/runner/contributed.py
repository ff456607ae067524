"""Packages with harnesses, for processes that shall find them on their PYTHONPATH."""

import subprocess
import sys
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "harness"
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")


def install_example(target: Path) -> None:
    """Install the documented example as a person would, but into a directory, and without the network."""
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--target", str(target))
    done = subprocess.run(
        [*PIP, *options, str(EXAMPLE)], capture_output=True, text=True, check=False, cwd=target
    )
    assert done.returncode == 0, done.stdout + done.stderr


def write_package(target: Path, name: str, source: str) -> None:
    """A package of one module, whose CONTRIBUTION is an entry point, as if pip had installed it."""
    (target / f"{name}.py").write_text(source)
    info = target / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[omnigent.harnesses]\n{name} = {name}:CONTRIBUTION\n")
