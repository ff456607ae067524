"""Making, changing, copying and deleting sessions."""

import asyncio
import json
from collections.abc import Mapping
from os import PathLike
from typing import Literal, Unpack

from omnigent_client.decoding import read
from omnigent_client.records.sessions import Deleted, Imported, Retitled, Session
from omnigent_client.resources.base import given
from omnigent_client.resources.bundles import bundle_bytes
from omnigent_client.resources.fields import ForkOptions, NewSession, SessionChanges
from omnigent_client.resources.session_reading import SessionReading
from omnigent_client.transport.http import Call, path_of

GZIP_MAGIC, ZIP_MAGIC = b"\x1f\x8b", b"PK\x03\x04"


class SessionWriting(SessionReading):
    """Every method is safe to retry and does so by itself; none retries a refusal."""

    async def create_from_agent_id(self, agent_id: str, **fields: Unpack[NewSession]) -> Session:
        """A new session with a registered agent."""
        return read(Session, await self._write("POST", "/v1/sessions", {"agent_id": agent_id, **fields}))

    async def create(self, bundle: bytes | str | PathLike[str], **fields: Unpack[NewSession]) -> Session:
        """A new session with an agent of its own.

        `bundle` is a gzipped tar archive with a `config.yaml`, as bytes or as a path, or the path of a
        directory that is packed into one. The agent is deleted with the session.
        """
        content = await asyncio.to_thread(bundle_bytes, bundle)
        metadata = given(fields)
        key = metadata.pop("idempotency_key", None)
        call = Call(
            method="POST",
            path="/v1/sessions",
            parts=(
                ("metadata", (None, json.dumps(metadata).encode(), "application/json")),
                ("bundle", ("agent.tar.gz", content, "application/gzip")),
            ),
            idempotency_key=key,
        )
        answer = await self._transport.json(call)
        if "status" in answer:
            return read(Session, answer)
        return await self.get(answer["session_id"])

    async def update(self, session_id: str, **changes: Unpack[SessionChanges]) -> Session:
        """Change some fields, all or none; the answer has no items."""
        return read(Session, await self._write("PATCH", path_of("sessions", session_id), changes))

    async def set_title(self, session_id: str, title: str) -> Session:
        """Name it; an empty title removes the name."""
        return await self.update(session_id, title=title)

    async def set_labels(self, session_id: str, labels: Mapping[str, str]) -> Session:
        """Add or replace these labels; others stay."""
        return await self.update(session_id, labels=labels)

    async def set_reasoning_effort(self, session_id: str, reasoning_effort: str | None) -> Session:
        """How much the model thinks; None goes back to the agent's own setting."""
        return await self.update(session_id, reasoning_effort=reasoning_effort or "default")

    async def set_model_override(self, session_id: str, model_override: str | None) -> Session:
        """Another model, from the next turn on; None goes back to the agent's own."""
        return await self.update(session_id, model_override=model_override or "default")

    async def set_archived(self, session_id: str, archived: bool = True) -> Session:  # noqa: FBT001, FBT002  # the setter's one value
        """Hide it from lists, or show it again."""
        return await self.update(session_id, archived=archived)

    async def set_external_session_id(self, session_id: str, external_session_id: str) -> Session:
        """Name the harness's own session; can be set once."""
        return await self.update(session_id, external_session_id=external_session_id)

    async def set_project(self, session_id: str, project_id: str | None) -> Session:
        """File it in a project; None files it nowhere."""
        return await self.update(session_id, project_id=project_id or "")

    async def bind_runner(self, session_id: str, runner_id: str) -> Session:
        """Let this runner work for the session from now on; the last one bound wins."""
        return await self.update(session_id, runner_id=runner_id)

    async def unbind_runner(self, session_id: str) -> Session:
        """Leave the session without a runner."""
        return await self.update(session_id, runner_id="")

    async def delete(self, session_id: str, *, delete_branch: bool = False) -> Deleted:
        """Delete it with everything that belongs to it, its sub-agents' sessions too.

        `delete_branch` also removes the git worktree that the server made for it, and its branch.
        """
        params = {"delete_branch": True} if delete_branch else {}
        return read(Deleted, await self._write("DELETE", path_of("sessions", session_id), params=params))

    async def fork(self, session_id: str, **options: Unpack[ForkOptions]) -> Session:
        """A new session with a copy of the conversation, up to and including a response if one is named."""
        return read(Session, await self._write("POST", path_of("sessions", session_id, "fork"), options))

    async def switch_agent(self, session_id: str, agent_id: str) -> Session:
        """Another built-in agent for the same conversation, files and workspace."""
        path = path_of("sessions", session_id, "switch-agent")
        return read(Session, await self._write("POST", path, {"agent_id": agent_id}))

    async def set_read_state(self, session_id: str, *, last_seen: int, unread: bool = False) -> None:
        """Remember how far the caller has read (epoch seconds)."""
        body = {"last_seen": last_seen, "unread": unread}
        await self._write("PUT", path_of("sessions", session_id, "read-state"), body)

    async def auto_title(self, session_id: str, title: str) -> Retitled:
        """Propose a title; a title that a person gave is kept."""
        path = path_of("sessions", session_id, "auto-title")
        return read(Retitled, await self._write("POST", path, {"title": title}))

    async def reset_model_override(self, session_id: str, expected_model_override: str) -> bool:
        """Clear the model override if it is still this one; whether it was."""
        path = path_of("sessions", session_id, "model-override", "reset")
        answer = await self._write("POST", path, {"expected_model_override": expected_model_override})
        return answer["reset"] is True

    async def export(self, session_id: str, *, format: Literal["archive", "markdown"] = "archive") -> bytes:
        """The session and all below it as an archive for `import_`, or its conversation as Markdown."""
        params = {} if format == "archive" else {"format": format}
        call = Call(method="GET", path=path_of("sessions", session_id, "export"), params=params)
        return (await self._transport.send(call)).content

    async def import_(self, archive: bytes, *, idempotency_key: str | None = None) -> Imported:
        """A new session from an exported archive; the answer says what could not be brought along."""
        call = Call(
            method="POST",
            path="/v1/sessions/import",
            content=archive,
            headers={"Content-Type": _archive_type(archive)},
            idempotency_key=idempotency_key,
        )
        return read(Imported, await self._transport.json(call))


def _archive_type(archive: bytes) -> str:
    if archive.startswith(GZIP_MAGIC):
        return "application/gzip"
    return "application/zip" if archive.startswith(ZIP_MAGIC) else "application/json"
