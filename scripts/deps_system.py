"""Install the system packages that some tests need, through apt, with sudo when not root."""

import os
import shutil
import subprocess
import sys

from scripts.programs import PACKAGES, missing


def main() -> None:
    """Install what is missing; nothing missing is not an error."""
    wanted = missing(tuple(PACKAGES))
    if not wanted:
        print("nothing to install")
        return
    if shutil.which("apt-get") is None:
        sys.exit("no apt-get here; install by your system's means: " + " ".join(wanted))
    if os.geteuid() == 0:
        prefix = ["env"]
    elif shutil.which("sudo"):
        prefix = ["sudo", "env"]
    else:
        sys.exit("neither root nor sudo; ask an administrator to run: apt-get install " + " ".join(wanted))
    prefix.append("DEBIAN_FRONTEND=noninteractive")
    for command in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", *wanted]):
        if subprocess.run([*prefix, "apt-get", *command], check=False).returncode != 0:
            sys.exit("apt-get failed; its message is above")


if __name__ == "__main__":
    main()
