"""One process for one request of the function worker."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from omnigent.runner.sandbox.errors import SandboxError
from omnigent.runner.sandbox.room import Confinement, interpreter
from omnigent.runner.tools import function_worker, worker
from omnigent.runner.tools.base import ToolContext, ToolError

_WORKER: Final = Path(function_worker.__file__)


async def answer_of(request: Mapping[str, Any], context: ToolContext, *, seconds: float) -> dict[str, Any]:
    """The worker's answer. Raises ToolError when there is none."""
    code = [path for path in map(Path, request["path"]) if path.is_dir()]
    try:
        entry = await context.rooms.of(Confinement).entry(
            (sys.executable, "-I", str(_WORKER)), context, extra=[*interpreter(), _WORKER, *code]
        )
    except SandboxError as exc:
        raise ToolError(str(exc)) from exc
    return await worker.answer_of(request, entry, context.reaper, seconds=seconds, name="function")
