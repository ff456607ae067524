"""Events about what a session has: terminals, environments, files."""

from dataclasses import dataclass
from typing import Any, ClassVar

from omnigent.protocol.events.base import Event


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionResourceCreated(Event):
    """A resource came into being; `resource` is the object that its own endpoint serves."""

    type: ClassVar[str] = "session.resource.created"

    resource: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionResourceDeleted(Event):
    """A resource is gone."""

    type: ClassVar[str] = "session.resource.deleted"
    session_member: ClassVar[str | None] = "session_id"

    resource_id: str
    resource_type: str
    session_id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionChangedFilesInvalidated(Event):
    """Files in the workspace may have changed."""

    type: ClassVar[str] = "session.changed_files.invalidated"
    session_member: ClassVar[str | None] = "session_id"

    session_id: str = ""
    environment_id: str = "default"
