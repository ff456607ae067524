"""Registering what the operator ships, names in the environment or names on the command line."""

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from agents_app import seeding
from agents_app.models import Agent
from agents_app.services.keeping import keep
from agents_app.services.objects import columns_of
from omnigent.ids import AGENT
from omnigent.spec import InvalidAgentError, bundle

logger = logging.getLogger(__name__)

Around = Callable[[int], AbstractContextManager[None]]
"""Surrounds the change of a known agent, named by its key, in the transaction that makes it."""


def alone(_agent_pk: int) -> AbstractContextManager[None]:
    """A change that nobody else has to hear of."""
    return nullcontext()


def builtin_id(name: str) -> str:
    """The id of an operator's agent: the same on every server and after every seeding."""
    return f"{AGENT}_{hashlib.sha256(f'builtin:{name}'.encode()).hexdigest()[:32]}"


def register_builtin(*, files: Mapping[str, bytes], around: Around = alone) -> Agent:
    """Register an operator's agent under its name, or give it new content. Raises InvalidAgentError.

    The version counts changes of content; the same content changes nothing, but its bundle is stored again
    when it has vanished or could not be read.
    """
    spec = bundle.spec_of(files)
    digest, packed = bundle.digest(files), bundle.pack(files)
    keep(digest, packed)
    values = {**columns_of(spec), "bundle_bytes": len(packed)}
    with transaction.atomic():
        agent, created = Agent.objects.get_or_create(
            public_id=builtin_id(spec.name),
            defaults={
                **values,
                "name": spec.name,
                "digest": digest,
                "is_builtin": True,
                "created_at": timezone.now(),
            },
        )
        if not created:
            _renew(agent, digest, values, around)
    agent.refresh_from_db()
    return agent


def _renew(agent: Agent, digest: str, values: Mapping[str, Any], around: Around) -> None:
    known = Agent.objects.filter(pk=agent.pk, digest=agent.digest)
    if agent.digest != digest:
        with around(agent.pk):
            known.update(
                **values, digest=digest, load_error="", version=F("version") + 1, updated_at=timezone.now()
            )
    elif any(getattr(agent, column) != value for column, value in values.items()):
        # The same content, read by a newer server.
        known.update(**values)


def seed(
    places: Iterable[Path] | None = None, *, extra: Iterable[Path] = (), around: Around = alone
) -> list[Agent]:
    """Register every agent of these places, by default the shipped ones and the environment's, and those of
    `extra`, of which each must be good. Of several with one name the last one counts.

    Raises InvalidAgentError and OSError for those of `extra`.
    """
    chosen = (seeding.SHIPPED, *settings.OMNIGENT_BUILTIN_AGENT_DIRS) if places is None else places
    wanted: dict[str, seeding.Source] = {}
    for source in seeding.sources(chosen):
        try:
            wanted[bundle.spec_of(source.files).name] = source
        except InvalidAgentError as error:
            logger.warning("agent_skipped", extra={"path": str(source.path), "reason": str(error)})
    for place in extra:
        wanted |= {bundle.spec_of(source.files).name: source for source in seeding.required(place)}
    return [register_builtin(files=source.files, around=around) for source in wanted.values()]
