"""Create the virtual environment and install the pinned requirements, once per change of the pins."""

import argparse
import fcntl
import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)


def fingerprint(files):
    """Names this interpreter and these pins; a stamp with another name means work to do."""
    digest = hashlib.sha256(repr(sys.version_info[:3]).encode())
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def create(venv):
    """Build the environment, or say which system package is missing."""
    print("creating " + str(venv), flush=True)
    made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=False)
    if made.returncode != 0:
        sys.exit(
            "python's venv module does not work here; on Debian and Ubuntu: apt-get install python3-venv"
        )


def install(venv, requirements, stamp, *options):
    """Install the pins, with further options of pip, and leave the stamp of them."""
    print("installing " + requirements.name, flush=True)
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run([*pip, *options, "--requirement", str(requirements)], check=False)
    if done.returncode != 0:
        sys.exit(f"pip could not install {requirements.name}; its message is above")
    for old in venv.glob(stamp.name.rsplit("-", 1)[0] + "-*"):
        old.unlink()
    stamp.touch()


def main():
    """Bring the environment up to date; a second run only looks at two stamps."""
    if sys.version_info < OLDEST:
        sys.exit("Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ...")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dev", action="store_true", help="with the test and lint tools")
    options = parser.parse_args()
    venv = ROOT / os.environ.get("VENV", ".venv")
    files = [ROOT / "requirements.txt"]
    if options.dev:
        files.append(ROOT / "requirements-dev.txt")
    stamp = venv / f".{'dev' if options.dev else 'runtime'}-{fingerprint(files)}"
    if stamp.exists():
        return
    lock = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (venv / "bin" / "python").exists():
            create(venv)
        if not stamp.exists():
            install(venv, files[-1], stamp)
    finally:
        os.close(lock)


if __name__ == "__main__":
    main()
