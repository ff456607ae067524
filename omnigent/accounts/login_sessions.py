"""Where browsers' logins are kept (`SESSION_ENGINE`), and who shows the cookie of one."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from omnigent.accounts.evidence import Evidence
from omnigent.accounts.models import LoginSession
from omnigent.accounts.principal import EVERYTHING, RESERVED_NAMES, Principal
from omnigent.accounts.standing import standing


class SessionStore(DatabaseStore):
    """Django's store, with the user of a login in a column of its own."""

    @classmethod
    def get_model_class(cls) -> type[LoginSession]:
        return LoginSession

    def create_model_instance(self, data: Mapping[str, Any]) -> LoginSession:
        row = super().create_model_instance(data)  # type: ignore[arg-type]  # the stubs ask for a dict
        assert isinstance(row, LoginSession)
        row.user_id = int(data[SESSION_KEY]) if SESSION_KEY in data else None
        return row


def login_of(evidence: Evidence) -> Principal | None:
    """Whom a browser's cookie stands for now: one statement, and the same tests as Django's.

    A changed password ends every login that was made with the old one.
    """
    key = evidence.cookie(settings.SESSION_COOKIE_NAME)
    if key is None:
        return None
    rows = LoginSession.objects.filter(session_key=key, expire_date__gt=timezone.now())
    row = rows.select_related("user").order_by().first()
    if row is None or row.user is None:
        return None
    user, data = row.user, row.get_decoded()
    found = standing(user.username, (user.is_active, user.is_staff, user.is_auditor))
    shown = str(data.get(HASH_SESSION_KEY, ""))
    if found is None or user.username in RESERVED_NAMES:
        return None
    if not constant_time_compare(shown, user.get_session_auth_hash()):
        return None
    return Principal(
        user_id=user.username,
        is_admin=found.is_admin,
        is_auditor=found.is_auditor,
        scopes=found.scopes(EVERYTHING),
        via="cookie",
    )
