"""Where browsers' logins are kept (`SESSION_ENGINE`), and who shows the cookie of one."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from omnigent.accounts.evidence import Evidence
from omnigent.accounts.models import LoginSession
from omnigent.accounts.principal import EVERYTHING, RESERVED_NAMES, Principal
from omnigent.accounts.secret_tokens import digest_of
from omnigent.accounts.standing import standing


class SessionStore(DatabaseStore):
    """Django's store, with digests of the cookies as keys and the user of a login in a column of its own.

    Logins are kept by synchronous code only; to Django's asynchronous methods they are all unknown.
    """

    @classmethod
    def get_model_class(cls) -> type[LoginSession]:
        return LoginSession

    def create_model_instance(self, data: Mapping[str, Any]) -> LoginSession:
        row = super().create_model_instance(data)  # type: ignore[arg-type]  # the stubs ask for a dict
        assert isinstance(row, LoginSession)
        row.session_key = digest_of(row.session_key)
        row.user_id = int(data[SESSION_KEY]) if SESSION_KEY in data else None
        return row

    def exists(self, session_key: str) -> bool:
        return super().exists(digest_of(session_key))

    def delete(self, session_key: str | None = None) -> None:
        cookie = session_key or self.session_key
        if cookie is not None:
            super().delete(digest_of(cookie))

    def _get_session_from_db(self) -> LoginSession | None:
        """The row of the cookie. One without a row is forgotten: nobody chooses their own."""
        row = None if self.session_key is None else live(self.session_key).first()
        if row is None:
            self._session_key = None
        return row


def live(cookie: str) -> QuerySet[LoginSession]:
    """The login of a cookie, if it has one that has not expired."""
    return LoginSession.objects.filter(session_key=digest_of(cookie), expire_date__gt=timezone.now())


def login_of(evidence: Evidence) -> Principal | None:
    """Whom a browser's cookie stands for now: one statement, and the same tests as Django's.

    A changed password ends every login that was made with the old one.
    """
    key = evidence.cookie(settings.SESSION_COOKIE_NAME)
    if key is None:
        return None
    row = live(key).select_related("user").order_by().first()
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
