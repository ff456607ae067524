"""The files of sessions: adding, copying, deleting and finding them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from omnigent.accounts.identity import Principal
from omnigent.api.pagination import Keyset, Page, cut, envelope
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import FILE, SESSION, canonical
from omnigent.protocol import attachments, events
from sessions_app.files import kinds
from sessions_app.models import File, Session
from sessions_app.services import access, blobs
from sessions_app.services.access import MAX_ANCESTORS, Level
from sessions_app.services.receipts import Answer, Claim, once
from sessions_app.services.tick import tick_of

ORDER = Keyset(id_column="public_id", columns=("created_at", "id"))
OBJECT = "session.resource"


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """A file whose bytes are stored and which no session has yet."""

    filename: str
    content_type: str
    digest: str
    size: int


def add_file(principal: Principal, session_id: str, stored: Stored, claimed: Claim | None) -> Answer:
    """Give a stored file to a session; 201 with its resource. Raises BlobLost when its bytes went away."""

    def work() -> Answer:
        found = access.require(principal, session_id, Level.EDIT)
        author = "" if found.level is None else principal.user_id
        with tick_of([found.pk]) as tick:
            session = tick.sessions.get(found.pk)
            if session is None:
                raise access.not_found()
            blobs.hold(digest=stored.digest, size=stored.size)
            file = File.objects.create(
                session=session,
                blob_id=stored.digest,
                filename=stored.filename,
                content_type=stored.content_type,
                created_at=tick.now,
                created_by=author,
            )
            shown = resource(file, size=stored.size, session_id=session.public_id)
            tick.append(session, events.SessionResourceCreated(resource=shown))
        return Answer(201, orjson.dumps(shown))

    return once(claimed, work)


def delete_file(principal: Principal, session_id: str, file_id: str) -> dict[str, Any]:
    """Delete a session's file, and its bytes when nobody else has them."""
    found = access.require(principal, session_id, Level.EDIT)
    with tick_of([found.pk]) as tick:
        session = tick.sessions.get(found.pk)
        if session is None:
            raise access.not_found()
        file = find(found.pk, file_id)
        File.objects.filter(pk=file.pk).delete()
        gone = events.SessionResourceDeleted(
            session_id=session.public_id, resource_id=file.public_id, resource_type="file"
        )
        tick.append(session, gone)
    transaction.on_commit(partial(blobs.release, [file.blob_id]), robust=True)
    return {"id": file.public_id, "object": f"{OBJECT}.deleted", "deleted": True}


def copy_from_ancestor(
    principal: Principal, session_id: str, *, source_id: str, file_ids: Sequence[str]
) -> dict[str, Any]:
    """Copy files of a session that stands above this one. All or none."""
    found = access.require(principal, session_id, Level.EDIT)
    source_pk = _ancestor(principal, found.pk, source_id)
    wanted = {file_id: canonical(FILE, file_id) for file_id in file_ids}
    with tick_of([found.pk]) as tick:
        session = tick.sessions.get(found.pk)
        if session is None:
            raise access.not_found()
        rows = _of_session(source_pk).filter(public_id__in=[each for each in wanted.values() if each])
        copies = _copy(rows, found.pk)
        mapping: dict[str, dict[str, str]] = {}
        for asked, public_id in wanted.items():
            file = copies.get(public_id or "")
            if file is None:
                raise _unknown(asked)
            mapping[asked] = {
                "new_id": file.public_id,
                "filename": file.filename,
                "content_type": file.content_type,
            }
        for file in copies.values():
            shown = resource(file, size=file.blob.size, session_id=session.public_id)
            tick.append(session, events.SessionResourceCreated(resource=shown))
    return {"object": "session.files.copied", "session_id": found.public_id, "mapping": mapping}


def copy_files(source_pk: int, target_pk: int) -> dict[str, str]:
    """Give every file of one session to another one inside the caller's transaction; old ids to new ids."""
    copies = _copy(_of_session(source_pk), target_pk)
    return {old_id: file.public_id for old_id, file in copies.items()}


def _copy(files: Iterable[File], target_pk: int) -> dict[str, File]:
    """Insert copies, by the ids of the originals. A file that was deleted meanwhile is left out."""
    originals = list(files)
    alive = blobs.share(file.blob_id for file in originals) if originals else set()
    now = timezone.now()
    copies = {
        file.public_id: File(
            session_id=target_pk,
            blob=file.blob,
            filename=file.filename,
            content_type=file.content_type,
            created_at=now,
            created_by=file.created_by,
        )
        for file in originals
        if file.blob_id in alive
    }
    File.objects.bulk_create(copies.values())
    return copies


def _ancestor(principal: Principal, session_pk: int, source_id: str) -> int:
    """The session above this one that has this id. Raises 403 alike for others, for unknown ones, and for one
    that the caller may not read.
    """
    public_id = canonical(SESSION, source_id)
    pk: int | None = session_pk
    for _ in range(MAX_ANCESTORS):
        above = Session.objects.filter(children=pk).only("public_id").first()
        if above is None:
            break
        if above.public_id == public_id and access.level(principal, above) is not None:
            return int(above.pk)
        pk = above.pk
    raise OmnigentError(ErrorCode.FORBIDDEN, "Files can only be copied from a session above this one")


def digests_of(session_pks: Iterable[int]) -> list[str]:
    """The blobs that these sessions use; to be released when the sessions are gone."""
    return list(File.objects.filter(session__in=session_pks).values_list("blob_id", flat=True).distinct())


def find(session_pk: int, file_id: str) -> File:
    """A session's file with its blob. Raises 404, alike for another session's."""
    public_id = canonical(FILE, file_id)
    file = _of_session(session_pk).filter(public_id=public_id).first() if public_id else None
    if file is None:
        raise _unknown(file_id)
    return file


def _unknown(file_id: str) -> OmnigentError:
    shown = canonical(FILE, file_id)
    return OmnigentError(ErrorCode.NOT_FOUND, f"File '{shown}' not found" if shown else "Not found.")


def _of_session(session_pk: int) -> "QuerySet[File]":
    return File.objects.filter(session=session_pk).select_related("blob").order_by("id")


def page(session_pk: int, session_id: str, asked: Page) -> dict[str, Any]:
    """One page of a session's files."""
    scope = _of_session(session_pk)
    rows, has_more = cut(list(ORDER.apply(scope, asked, ORDER.positions(scope, asked))), asked)
    data = [resource(file, size=file.blob.size, session_id=session_id) for file in rows]
    return envelope(data, [file.public_id for file in rows], has_more=has_more)


def resource(file: File, *, size: int, session_id: str) -> dict[str, Any]:
    """A file as the API shows it: what clients look for at the top is there and under `metadata`."""
    facts = {"filename": file.filename, "bytes": size, "created_at": int(file.created_at.timestamp())}
    return {
        "id": file.public_id,
        "object": OBJECT,
        "type": "file",
        "session_id": session_id,
        "name": file.filename,
        **facts,
        "metadata": {**facts, "source_metadata": None},
    }


def attached(session_pk: int, file_ids: Iterable[str]) -> Mapping[str, File]:
    """The session's files among these ids, by the ids as they were given."""
    named = {file_id: canonical(FILE, file_id) for file_id in file_ids}
    found = _of_session(session_pk).filter(public_id__in=[each for each in named.values() if each])
    files = {file.public_id: file for file in found}
    return {given: files[public_id] for given, public_id in named.items() if public_id in files}


def require_attachable(session_pk: int, content: Sequence[Any]) -> None:
    """Check the files that a message names. Raises 400 for a foreign one, a wrong type, too many bytes."""
    named = list(attachments.references(content))
    if not named:
        return
    files = attached(session_pk, (file_id for _, _, file_id in named))
    for place, kind, file_id in named:
        file = files.get(file_id)
        if file is None:
            raise _refused(place, "names no file of this session")
        if kind == "input_image" and not kinds.is_image(file.content_type):
            raise _refused(place, "names a file that is not an image")
    if sum(files[file_id].blob.size for _, _, file_id in named) > attachments.MAX_BYTES:
        limit = attachments.MAX_BYTES // kinds.MIB
        raise OmnigentError(ErrorCode.INVALID_INPUT, f"The files of one message may have {limit} MB together")


def _refused(place: int, problem: str) -> OmnigentError:
    return OmnigentError(
        ErrorCode.INVALID_INPUT,
        f"Invalid data payload for event type 'message': content[{place}].file_id: {problem}",
    )
