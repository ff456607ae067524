"""Every gate that needs no test: format, lint, types, import contracts, migrations."""

import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

ENGINES = {"claude_agent_sdk": "claude_sdk", "agents": "openai_agents"}
"""Packages that only `make harnesses` installs, and the harnesses whose types are theirs."""
UNTYPED = [harness for package, harness in ENGINES.items() if find_spec(package) is None]
LEFT_OUT = ("--exclude", "/migrations/", *(f"--exclude=/harnesses/{harness}/" for harness in UNTYPED))

GATES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("format", (str(BIN / "ruff"), "format", "--check", "--quiet", ".")),
    ("lint", (str(BIN / "ruff"), "check", "--quiet", ".")),
    ("types", (str(BIN / "mypy"), *LEFT_OUT)),
    ("imports", (str(BIN / "lint-imports"),)),
    ("migrations", (sys.executable, "manage.py", "makemigrations", "--check", "--dry-run")),
    ("settings", (sys.executable, "manage.py", "check", "--fail-level", "WARNING")),
)


def main() -> None:
    """Run all gates, print the output of those that fail, and fail if any did."""
    failed = []
    if UNTYPED:
        print(f"types of {' and '.join(UNTYPED)} left out; install their packages with: make harnesses")
    for name, command in GATES:
        started = time.monotonic()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        verdict = "ok" if done.returncode == 0 else "FAILED"
        print(f"{name:<11}{verdict}  {time.monotonic() - started:.1f} s", flush=True)
        if done.returncode != 0:
            failed.append(name)
            print(done.stdout + done.stderr, flush=True)
    if failed:
        sys.exit("failed: " + ", ".join(failed))


if __name__ == "__main__":
    main()
