"""Where the console script starts: a plain word when the libraries of the extra `cli` are not installed."""

import sys

try:
    from omnigent_client.cli.main import run
except ModuleNotFoundError as error:
    if error.name is None or error.name.partition(".")[0] not in ("rich", "prompt_toolkit"):
        raise
    MISSING: str | None = error.name
else:
    MISSING = None


def main() -> int:
    """The exit code of one command."""
    if MISSING is not None:
        sys.stderr.write(f"omnigent: {MISSING} is not installed; pip install 'omnigent-client[cli]'\n")
        return 1
    return run(sys.argv[1:])
