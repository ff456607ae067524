"""The released product in an environment of its own: never in ours, with whose module names it collides."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements-interop.txt"
VENV = ROOT / ".venv-interop"
OLDEST = (3, 12)
CANDIDATES = ("python3.14", "python3.13", "python3.12", "python3")


def find_python() -> str | None:
    """A Python for the released product: the one that INTEROP_PYTHON names, or the first that answers."""
    named = os.environ.get("INTEROP_PYTHON")
    candidates = (named,) if named else (*CANDIDATES, *neighbours())
    return next((name for name in candidates if is_new_enough(name)), None)


def neighbours() -> list[str]:
    """Interpreters that are installed beside this one, as version managers do; they need not be on PATH."""
    return sorted(map(str, Path(sys.base_prefix).parent.glob("*/bin/python3")), reverse=True)


def is_new_enough(python: str) -> bool:
    """Whether a candidate runs and is new enough; a version manager's shim may do neither."""
    question = f"import sys, venv; sys.exit(sys.version_info < {OLDEST})"
    try:
        return subprocess.run([python, "-c", question], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def setup() -> Path:
    """The environment's interpreter; made once per change of the pins."""
    python = VENV / "bin" / "python"
    stamp = VENV / f".pins-{hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest()[:16]}"
    if stamp.exists():
        return python
    base = find_python()
    if base is None:
        sys.exit("the interop tests need Python 3.12 or newer; name one with INTEROP_PYTHON")
    print(f"creating {VENV.name}, which takes a minute", flush=True)
    subprocess.run([base, "-m", "venv", "--clear", str(VENV)], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--requirement", str(REQUIREMENTS)], check=True)
    stamp.touch()
    return python
