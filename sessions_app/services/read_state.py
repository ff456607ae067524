"""How far each person has read a session; nobody else sees it, and the session does not change by it."""

from functools import partial

from django.db import transaction

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.events import publish
from sessions_app.models import ReadState
from sessions_app.services import access
from sessions_app.services.access import Level


def set_read_state(*, principal: Principal, session_id: str, last_seen: int, unread: bool) -> None:
    """Keep the caller's mark; the last one written counts."""
    found = access.require(principal, session_id, Level.READ)
    if principal.kind != "user":
        raise OmnigentError(ErrorCode.FORBIDDEN, "Only a person has read something")
    ReadState.objects.bulk_create(
        [ReadState(session_id=found.pk, user_id=principal.user_id, last_seen=last_seen, unread=unread)],
        update_conflicts=True,
        unique_fields=["session", "user_id"],
        update_fields=["last_seen", "unread"],
    )
    transaction.on_commit(partial(publish.ring, "rows", str(found.pk)))


def drop_read_state(*, session_pk: int, user_id: str) -> None:
    """Forget somebody's mark."""
    ReadState.objects.filter(session_id=session_pk, user_id=user_id).delete()
