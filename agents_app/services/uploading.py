"""Agents that people bring along: with a session, for good, or in place of what they brought before."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from agents_app.models import Agent
from agents_app.services.keeping import keep
from agents_app.services.objects import columns_of
from agents_app.services.registering import Around, alone
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.spec import AgentSpec, SpecError, bundle

ATTEMPTS = 3

Check = Callable[[AgentSpec, Mapping[str, bytes]], Iterable[str]]
"""What this server does not take, as `path: why`, beyond what no server does."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What a bundle holds, once it has been read, judged and stored."""

    spec: AgentSpec
    digest: str
    bundle_bytes: int

    @property
    def columns(self) -> dict[str, Any]:
        """The row's part of it."""
        return {**columns_of(self.spec), "digest": self.digest, "bundle_bytes": self.bundle_bytes}


def read_upload(data: bytes, check: Check) -> Content:
    """Read an archive, and store what it holds. Raises InvalidAgentError."""
    return content_of(_unwrapped(bundle.unpack(data)), check)


def content_of(files: Mapping[str, bytes], check: Check) -> Content:
    """Judge the files of a bundle, and store it. Raises InvalidAgentError."""
    spec = bundle.spec_of(files)
    if not spec.name:
        raise SpecError(("name: required",))
    if problems := tuple(check(spec, files)):
        raise SpecError(problems)
    digest, packed = bundle.digest(files), bundle.pack(files)
    keep(digest, packed)
    return Content(spec=spec, digest=digest, bundle_bytes=len(packed))


def uploaded(*, data: bytes, created_by: str, check: Check) -> Agent:
    """The agent of an uploaded bundle, for one session. The bundle is stored; the row is left to the caller,
    to be saved together with that session. Raises InvalidAgentError.
    """
    content = read_upload(data, check)
    return _row(content, created_by)


def _row(content: Content, created_by: str, **fields: Any) -> Agent:  # columns of the row
    return Agent(
        **content.columns,
        **fields,
        name=content.spec.name,
        created_by=created_by,
        created_at=timezone.now(),
    )


def save_own(*, content: Content, created_by: str, around: Around = alone) -> Agent:
    """A reusable agent of a person: a new one, or new content for the one of that name.

    Raises ALREADY_EXISTS for the name of an operator's agent.
    """
    name = content.spec.name
    if Agent.objects.builtin().filter(name=name).exists():
        raise OmnigentError(ErrorCode.ALREADY_EXISTS, f"'{name}' is an agent of this server")
    own = Agent.objects.reusable_of(created_by).filter(name=name)
    for _ in range(ATTEMPTS):
        agent = own.first()
        if agent is not None:
            if replace_content(agent=agent, content=content, around=around) is not None:
                agent.refresh_from_db()
                return agent
            continue
        try:
            with transaction.atomic():
                made = _row(content, created_by, is_reusable=True)
                made.save(force_insert=True)
                return made
        except IntegrityError:
            # Somebody else made it at the same moment.
            continue
    raise OmnigentError(ErrorCode.CONFLICT, "The agent is being changed elsewhere; send it again")


def replace_content(*, agent: Agent, content: Content, around: Around = alone) -> bool | None:
    """Give an agent other content: whether that changed it, None when somebody else changed it meanwhile.

    The same content is no change.
    """
    if content.digest == agent.digest:
        return False
    known = Agent.objects.present().filter(pk=agent.pk, digest=agent.digest, version=agent.version)
    with transaction.atomic(), around(agent.pk):
        found = known.update(
            **content.columns, load_error="", version=F("version") + 1, updated_at=timezone.now()
        )
    return True if found else None


def delete_agent(*, agent: Agent, is_bound: bool) -> None:
    """Take an agent away. One that sessions are bound to leaves its row, so that they still show its name."""
    if is_bound:
        Agent.objects.present().filter(pk=agent.pk).update(deleted_at=timezone.now())
    else:
        Agent.objects.filter(pk=agent.pk).delete()


def _unwrapped(files: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """Without the one directory around everything that some archivers add."""
    tops = {path.partition("/")[0] for path in files}
    if len(tops) != 1 or not all("/" in path for path in files):
        return files
    return {path.partition("/")[2]: content for path, content in files.items()}
