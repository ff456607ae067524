"""One operation in a process of its own, which a sandbox confines: a request in JSON on standard input, the
answer on standard output. The working directory is the root.

`open` answers with a descriptor over the socket that the request names, so that a file of any size can be
read outside without the way to it being walked there.
"""

import json
import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from omnigent.workspace.errors import Refused
from omnigent.workspace.root import Root
from omnigent.workspace.work import done, open_unless_directory

COMMAND: Final = (
    "import runpy, sys; sys.path.insert(0, sys.argv[1]); "
    "runpy.run_module('omnigent.workspace.worker', run_name='__main__')"
)
"""Starts it in an interpreter that knows nothing but the directory of this package's package."""


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """`{"output": …}`, or `{"refused": {…}}` with what an error answer says."""
    try:
        with Root.opened(Path.cwd()) as root:
            if request["do"] == "open":
                return {"output": _handed_over(root, request)}
            return {"output": done(root, request)}
    except Refused as exc:
        words = {"status": exc.status, "code": exc.code, "message": exc.message}
        return {"refused": words | {"has_detail": exc.has_detail}}


def _handed_over(root: Root, request: Mapping[str, Any]) -> dict[str, Any]:
    opened = open_unless_directory(root, root.parts(request["path"]))
    if opened is None:
        return {"is_directory": True}
    with socket.socket(fileno=os.dup(request["socket"])) as channel:
        socket.send_fds(channel, [b"."], [opened])
    return {"is_directory": False}


if __name__ == "__main__":
    json.dump(answer(json.load(sys.stdin)), sys.stdout)
