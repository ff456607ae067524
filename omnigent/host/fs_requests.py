"""What the server may see of a workspace while its runner is away; nothing is written."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from omnigent.host.filesystem import FileSystem, PathRefused
from omnigent.protocol.host_frames import FsRequest, FsResult
from omnigent.workspace.errors import Refused, invalid
from omnigent.workspace.git import Git
from omnigent.workspace.history import changes, diff
from omnigent.workspace.root import Root
from omnigent.workspace.work import done, given

MAX_AT_ONCE: Final = 4


class FsRequests:
    """Answers with the payload that a runner would answer. What an agent's sandbox hides is shown here: its
    rules are its runner's.
    """

    def __init__(self, disk: FileSystem, environ: Mapping[str, str]) -> None:
        self._disk = disk
        self._git = Git(environ)
        self._threads = ThreadPoolExecutor(MAX_AT_ONCE, thread_name_prefix="files")
        self._operations: Mapping[str, Callable[[Root, Mapping[str, Any]], Mapping[str, Any]]] = {
            "list_or_read": lambda root, params: done(root, {**params, "do": "list_or_read"}),
            "search": lambda root, params: done(root, {**params, "do": "search"}),
            "changes": lambda root, params: changes(self._git, root),
            "diff": lambda root, params: diff(self._git, root, given(params, "path", "")),
        }

    def close(self) -> None:
        """Kill what runs and accept nothing more."""
        self._git.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def answer(self, ask: FsRequest) -> FsResult:
        """The payload, or the error that a runner would answer."""
        loop = asyncio.get_running_loop()
        try:
            payload = await loop.run_in_executor(self._threads, self._payload, ask)
        except Refused as error:
            return FsResult(
                request_id=ask.request_id,
                status="error",
                error=error.message,
                error_status=error.status,
                error_code=error.code,
            )
        return FsResult(request_id=ask.request_id, status="ok", payload=payload)

    def _payload(self, ask: FsRequest) -> Mapping[str, Any]:
        operation = self._operations.get(ask.op)
        if operation is None:
            raise Refused(501, "unsupported", f"{ask.op[:40]} is not supported by this host")
        try:
            workspace = self._disk.is_directory(ask.workspace)
        except PathRefused as error:
            raise invalid(str(error)) from None
        if workspace is None:
            raise Refused(404, "not_found", "The workspace directory does not exist on this host")
        # Its way was resolved inside the allowed roots; opening it follows no link that came there since.
        with Root.opened(workspace) as root:
            return operation(root, ask.params)
