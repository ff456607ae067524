"""Requests about a host: it is asked over its tunnel, and its answers are checked before they go on."""

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.protocol import host_frames
from omnigent.protocol.codec import dump
from omnigent.spec import harnesses
from sessions_app.bodies import LaunchOnHost, ListHostDirectory
from sessions_app.flows import launch, placing, worktrees
from sessions_app.services import hosting, hosts, launching, presence, rules
from sessions_app.services.receipts import Receipts

if TYPE_CHECKING:
    from sessions_app.process import Process

R = TypeVar("R", bound=host_frames.Result)

DISK_SECONDS = 5.0
GIT_SECONDS = 30.0
MODELS_SECONDS = 15.0
PROBE_SECONDS = 30.0
SKILLS_SECONDS = 15.0
MAX_PATH = 4096
MAX_MESSAGE = 2000


async def launch_runner(
    process: "Process", principal: Principal, host_text: str, body: LaunchOnHost, receipts: Receipts
) -> dict[str, Any]:
    """Place a session on a host and launch its runner there. When that fails the session is where it was."""
    wish = await process.pool.run(hosting.check, principal, host_text, body, receipts)
    if wish.is_made:
        return await _launched(process, wish)
    try:
        place = await placing.existing(
            process, wish.host_id, body.workspace, body.git, session_id=body.session_id
        )
    except OmnigentError as error:
        raise _as_of_host(error) from None
    try:
        bound = await process.pool.run(hosting.bind, wish, place, receipts)
    except OmnigentError:
        await worktrees.take_back(process, wish.host_id, place, body.git)
        raise
    runner_id = bound.launch.runner_id
    try:
        await launch.start(process, bound.launch)
    except OmnigentError as error:
        await process.pool.run(hosting.restore, bound, receipts)
        if error.status == HTTPStatus.GATEWAY_TIMEOUT:
            # It may have been started all the same, and nobody knows it.
            process.spawn(launch.stop_runner(process, wish.host_id, runner_id))
        await worktrees.take_back(process, wish.host_id, place, body.git)
        raise _as_of_host(error) from None
    return {"runner_id": runner_id, "status": "launching"}


async def _launched(process: "Process", wish: hosting.Wish) -> dict[str, Any]:
    """The runner of a session that a server bound before it died; another one if it never came to be."""
    runner_id = wish.instead_of
    standing = await process.pool.run(launching.standing, wish.session_pk)
    if not standing.has_connected and not await launch.is_alive(process, wish.host_id, runner_id):
        try:
            plan = await launch.launch(process, wish.session_pk, instead_of=runner_id)
        except OmnigentError as error:
            raise _as_of_host(error) from None
        if plan is None:
            standing = await process.pool.run(launching.standing, wish.session_pk)
        runner_id = plan.runner_id if plan else standing.runner_id
    return {"runner_id": runner_id, "status": "launching"}


async def list_directory(
    process: "Process", host_id: str, path: str, asked: ListHostDirectory
) -> dict[str, Any]:
    """A page of a directory; without a path of the home directory of whoever runs the host."""
    ask = host_frames.ListDir(
        request_id=launch.request_id(),
        path=_usable(path),
        limit=asked.limit,
        after=asked.after or None,
        before=asked.before or None,
    )
    found = await _ask(process, host_id, ask, host_frames.ListDirResult, DISK_SECONDS)
    if found.error and not found.entries:
        raise OmnigentError(ErrorCode.NOT_FOUND, _words(found.error), detail=_words(found.error))
    data = [_entry(entry) for entry in found.entries]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["path"] if data else None,
        "last_id": data[-1]["path"] if data else None,
        "has_more": found.has_more,
    }


async def create_directory(process: "Process", host_id: str, path: str) -> dict[str, Any]:
    """A new directory and its parents. 409 for one that is there already."""
    if not path.startswith(("/", "~")):
        raise rules.invalid("path must be absolute or start with ~")
    ask = host_frames.CreateDir(request_id=launch.request_id(), path=_usable(path))
    made = await _ask(process, host_id, ask, host_frames.CreateDirResult, DISK_SECONDS)
    if made.error:
        raise OmnigentError(ErrorCode.ALREADY_EXISTS, _words(made.error), detail=_words(made.error))
    return {"object": "directory", "path": made.path or path}


async def list_worktrees(process: "Process", host_id: str, path: str) -> dict[str, Any]:
    """The work trees of the repository at a path. 400 in git's words for what is none."""
    if not path.strip():
        raise rules.invalid("path must not be empty")
    ask = host_frames.ListWorktrees(request_id=launch.request_id(), repo_path=_usable(path))
    found = await _call(process, host_id, ask, host_frames.ListWorktreesResult, GIT_SECONDS)
    if found.status != "ok":
        raise rules.invalid(_words(found.error or "the host could not list the work trees"))
    data = [{**dump(tree), "updated_at": _whole(tree.updated_at)} for tree in found.worktrees]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["path"] if data else None,
        "last_id": data[-1]["path"] if data else None,
        "has_more": False,
    }


async def model_options(process: "Process", host_id: str, harness: str) -> dict[str, Any]:
    """The models that a harness offers on a host, as far as the host knows."""
    ask = host_frames.ModelOptions(request_id=launch.request_id(), harness=_named_harness(harness))
    found = await _ask(process, host_id, ask, host_frames.ModelOptionsResult, MODELS_SECONDS)
    return {
        "models": [model for model in found.models if isinstance(model, dict)],
        "routable_models": [name for name in found.routable_models if isinstance(name, str)],
        "error": _words(found.error) if found.error else None,
    }


async def skills(process: "Process", host_id: str, *, harness: str, path: str) -> list[dict[str, Any]]:
    """The skills that a session in a directory of a host would find, beside those of its agent."""
    ask = host_frames.Skills(
        request_id=launch.request_id(), harness=_named_harness(harness), path=_usable(path)
    )
    found = await _ask(process, host_id, ask, host_frames.SkillsResult, SKILLS_SECONDS)
    return [
        {
            "name": _words(str(skill["name"])),
            "description": _words(str(skill.get("description", ""))),
            "display_name": None,
        }
        for skill in found.skills
        if isinstance(skill, dict) and skill.get("name")
    ]


async def refresh_harnesses(process: "Process", host_id: str) -> dict[str, Any]:
    """Have a host probe its harnesses now; what it finds is kept."""
    ask = host_frames.RefreshHarnesses(request_id=launch.request_id())
    found = await _ask(process, host_id, ask, host_frames.RefreshHarnessesResult, PROBE_SECONDS)
    await process.pool.run(
        presence.update_readiness,
        host_id=host_id,
        configured_harnesses=found.configured_harnesses,
        gateway_inference=found.gateway_inference,
    )
    return {
        "configured_harnesses": found.configured_harnesses,
        "gateway_inference": found.gateway_inference,
    }


async def _ask(process: "Process", host_id: str, ask: host_frames.Ask, kind: type[R], seconds: float) -> R:
    """A host's good answer; 502 for one that failed."""
    result = await _call(process, host_id, ask, kind, seconds)
    if result.status != "ok":
        raise _failed(result.error or "it does not say why")
    return result


async def _call(process: "Process", host_id: str, ask: host_frames.Ask, kind: type[R], seconds: float) -> R:
    """A host's answer, good or bad. Raises 409 when it is away, 504 when it is late, 502 for nonsense."""
    try:
        result = await process.rpc.host(host_id, ask, seconds=seconds)
    except OmnigentError as error:
        raise _as_of_host(error) from None
    if not isinstance(result, kind):
        raise _failed(f"it answered {result.kind}")
    return result


def _as_of_host(error: OmnigentError) -> OmnigentError:
    """What went wrong, as requests about a host are told of it."""
    if error.status == HTTPStatus.GATEWAY_TIMEOUT:
        return error
    if error.code is ErrorCode.HOST_OFFLINE:
        return hosts.is_offline()
    return _failed(error.message) if error.code is ErrorCode.RUNNER_UNAVAILABLE else error


def _failed(reason: str) -> OmnigentError:
    message = f"The host failed: {_words(reason)}"
    return OmnigentError(ErrorCode.INTERNAL_ERROR, message, status=HTTPStatus.BAD_GATEWAY, detail=message)


def _named_harness(text: str) -> str:
    if len(text) > MAX_MESSAGE or "\0" in text:
        raise rules.invalid("not a harness")
    return harnesses.canonical(text) or text


def _usable(path: str) -> str:
    if "\0" in path:
        raise rules.invalid("path must not contain NUL characters")
    if len(path) > MAX_PATH:
        raise rules.invalid(f"path must not be longer than {MAX_PATH} characters")
    return path


def _words(text: str) -> str:
    return text[:MAX_MESSAGE]


def _entry(entry: host_frames.DirEntry) -> dict[str, Any]:
    return {**dump(entry), "modified_at": _whole(entry.modified_at)}


def _whole(stamp: float | None) -> int | None:
    """Clients read times as whole seconds."""
    return None if stamp is None else int(stamp)
