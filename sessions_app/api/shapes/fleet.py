"""Hosts and runners as they are sent."""

from typing import Any, Literal

from omnigent.api.schema.shapes import PageShape, Shape


class HostShape(Shape):
    """A machine that can run agents. `last_seen_at` is when it last said anything, null for never."""

    host_id: str
    name: str
    owner: str
    status: Literal["online", "offline"]
    version: str | None
    last_seen_at: int | None
    sandbox_provider: None
    configured_harnesses: dict[str, Any] | None
    gateway_inference: Any
    interactive_shells: Any


class HostList(Shape):
    """All hosts of a person."""

    hosts: list[HostShape]


class DeletedHost(Shape):
    """A host that is forgotten."""

    id: str
    object: Literal["host.deleted"]
    deleted: Literal[True]


class LaunchedRunner(Shape):
    """A runner that its host is starting; its status tells when it is there."""

    runner_id: str
    status: Literal["launching"]


class HostEntry(Shape):
    """One entry of a directory of a host."""

    name: str
    path: str
    type: str
    bytes: int | None
    modified_at: int | None


class HostEntryPage(PageShape):
    """A page of a directory, by name. The cursors are paths."""

    data: list[HostEntry]


class HostDirectory(Shape):
    """A directory that was made."""

    object: Literal["directory"]
    path: str


class WorktreeShape(Shape):
    """One work tree of a repository."""

    path: str
    branch: str | None
    is_main: bool
    detached: bool
    updated_at: int | None


class WorktreePage(PageShape):
    """All work trees of a repository."""

    data: list[WorktreeShape]


class HostModels(Shape):
    """Models that a harness offers; `error` says why there may be more."""

    models: list[dict[str, Any]]
    routable_models: list[str]
    error: str | None


class HostReadiness(Shape):
    """What a host can run, just probed; null is unknown."""

    configured_harnesses: dict[str, Any] | None
    gateway_inference: dict[str, bool] | None


class OnlineRunner(Shape):
    """A runner that is connected."""

    runner_id: str
    online: Literal[True]
    harnesses: list[str]


class RunnerList(Shape):
    """A person's connected runners."""

    data: list[OnlineRunner]


class RunnerState(Shape):
    """Whether a runner is connected; `error` says how it ended, with the end of its log."""

    runner_id: str
    online: bool
    error: str = ""
