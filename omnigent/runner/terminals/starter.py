"""Becomes the program of a terminal: argument 1 is a private file that says which, and is removed at once.

Run as a script with the standard library only. What a program gets does not appear in any command line, is
not limited in length, and knows nothing of the tmux server around it.
"""

import json
import os
import sys
from pathlib import Path


def main(path: str) -> None:
    """Replace this process; on failure the screen says why."""
    plan = json.loads(Path(path).read_text())
    Path(path).unlink()
    environment = {**plan["environment"], "TERM": os.environ["TERM"]}
    for name, content in plan["descriptors"].items():
        passed(int(name), content.encode("latin-1"))
    try:
        os.chdir(plan["directory"])
        os.execvpe(plan["command"][0], plan["command"], environment)
    except OSError as exc:
        sys.exit(f"{plan['command'][0]}: {exc.strerror}")


def passed(number: int, content: bytes) -> None:
    """Put the content where the program expects it, as a descriptor of this number."""
    held = os.memfd_create("content")
    os.write(held, content)
    os.lseek(held, 0, os.SEEK_SET)
    if held != number:
        os.dup2(held, number)
        os.close(held)
    os.set_inheritable(number, True)  # noqa: FBT003 - it takes no names


if __name__ == "__main__":
    main(sys.argv[1])
