"""A stand-in for the runner program: notes what it was given, then behaves as its first argument says."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

# How a runner behaves that has reached its server; the others never do.
CONNECTS = ("finish", "work")


def main() -> None:
    behaviour = sys.argv[1]
    workspace = Path(os.environ["OMNIGENT_WORKSPACE"])
    note = {"pid": os.getpid(), "cwd": os.getcwd(), "environ": dict(os.environ), "sid": os.getsid(0)}
    if behaviour == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        note["child"] = child.pid
    # Renaming makes the note appear whole, and the name tells runners of one workspace apart.
    partial = workspace / "note.partial"
    partial.write_text(json.dumps(note))
    partial.rename(workspace / f"{os.environ['OMNIGENT_RUNNER_ID']}.json")
    if behaviour in CONNECTS:
        os.write(int(os.environ["OMNIGENT_CONNECTED_FD"]), b"1")
        (workspace / "connected").touch()
    if behaviour == "crash":
        for number in range(40):
            sys.stderr.write(f"line {number} token={os.environ['OMNIGENT_RUNNER_TOKEN']}\n")
        sys.exit(3)
    if behaviour in ("finish", "leave"):
        sys.exit(0)
    time.sleep(600)


if __name__ == "__main__":
    main()
