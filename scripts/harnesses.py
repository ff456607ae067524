"""Install the vendors' engines: Python packages into the virtual environment, command line tools by npm."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.setup import ROOT, fingerprint, install

TOOLS = ROOT / "node_modules"


def requirement_files() -> list[Path]:
    """One per harness that needs packages of its own."""
    return sorted(ROOT.glob("requirements-harness-*.txt"))


def stamp_of(venv: Path, requirements: Path) -> Path:
    """The file that says that these pins are installed in this environment."""
    return venv / f".{requirements.stem.removeprefix('requirements-')}-{fingerprint([requirements])}"


def tools_stamp() -> Path:
    """The file that says that the tools of package.json are installed."""
    digest = hashlib.sha256((ROOT / "package.json").read_bytes()).hexdigest()[:16]
    return TOOLS / f".installed-{digest}"


def lacking() -> list[str]:
    """What is not installed yet, by name; empty when every harness can run."""
    venv = Path(sys.prefix)
    found = [
        path.stem.removeprefix("requirements-harness-")
        for path in requirement_files()
        if not stamp_of(venv, path).exists()
    ]
    tools = json.loads((ROOT / "package.json").read_text())["dependencies"]
    return found + ([] if tools_stamp().exists() else sorted(tools))


def install_tools() -> None:
    """What package.json names, under node_modules."""
    if tools_stamp().exists():
        return
    npm = shutil.which("npm")
    if npm is None:
        sys.exit("npm is needed for the command line engines; install it with: make deps-system")
    print("installing package.json", flush=True)
    command = [npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error"]
    if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
        sys.exit("npm could not install the command line engines; its message is above")
    for old in TOOLS.glob(".installed-*"):
        old.unlink()
    tools_stamp().touch()


def main() -> None:
    """Install what is missing; nothing missing is not an error."""
    venv = ROOT / os.environ.get("VENV", ".venv")
    for requirements in requirement_files():
        if not stamp_of(venv, requirements).exists():
            # Their files name all that is needed: what else the packages ask for may be older than ours.
            install(venv, requirements, stamp_of(venv, requirements), "--no-deps")
    install_tools()


if __name__ == "__main__":
    main()
