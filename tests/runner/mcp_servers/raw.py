"""An MCP server in plain JSON, for what the package would not do. The first argument says how it behaves."""

import json
import os
import sys
import time
from pathlib import Path

BEHAVIOUR = sys.argv[1]
NAMES = ["plain", "with space/and:more", "n" * 100]


def say(body):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **body}) + "\n")
    sys.stdout.flush()


def answer(request):
    method = request["method"]
    if method == "initialize":
        version = request["params"]["protocolVersion"]
        info = {"name": "raw", "version": "1"}
        return {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
    if method == "tools/list":
        if BEHAVIOUR == "endless pages":
            page = int((request.get("params") or {}).get("cursor") or 0)
            tools = [{"name": f"tool{page}", "inputSchema": {"type": "object"}}]
            return {"tools": tools, "nextCursor": str(page + 1)}
        return {"tools": [{"name": name, "inputSchema": {"type": "object"}} for name in NAMES]}
    if BEHAVIOUR == "endless line":
        while True:
            sys.stdout.write("x" * 1_000_000)
    if BEHAVIOUR == "noise":
        for _ in range(20_000):
            sys.stdout.write("no json at all\n")
            sys.stderr.write("nor here\n")
    if BEHAVIOUR == "nonsense":
        return {"content": "not a list"}
    return {"content": [{"type": "text", "text": str(request["params"]["name"])}]}


if BEHAVIOUR == "no start":
    sys.stderr.write(f"cannot log in with {os.environ.get('SECRET')}\n")
    sys.exit(7)
if BEHAVIOUR == "second start":
    marker = Path(os.environ["MARKER"])
    if not marker.exists():
        marker.touch()
        sys.exit(1)
if BEHAVIOUR == "silent":
    time.sleep(3600)
if BEHAVIOUR == "waits for file":
    while not Path(os.environ["MARKER"]).exists():
        time.sleep(0.01)
for line in sys.stdin:
    message = json.loads(line)
    if "id" in message:
        say({"id": message["id"], "result": answer(message)})
