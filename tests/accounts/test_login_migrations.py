"""The migration of logins: who is logged in stays so, and what is stored is no cookie any more."""

from datetime import timedelta

import pytest
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.base import UpdateError
from django.utils import timezone

from omnigent.accounts.login_sessions import SessionStore
from omnigent.accounts.models import LoginSession
from tests.accounts.people import make_person
from tests.migrating import migrate, restored

__all__ = ["restored"]  # a fixture

COOKIE = "k" * 32


def test_a_login_of_old_goes_on_and_its_cookie_is_not_stored(restored: None) -> None:
    person = make_person()
    data = {SESSION_KEY: str(person.pk), HASH_SESSION_KEY: person.get_session_auth_hash()}
    migrate("accounts", "0003_device_logins")
    LoginSession.objects.create(
        session_key=COOKIE,
        session_data=SessionStore().encode(data),
        expire_date=timezone.now() + timedelta(hours=1),
        user=person,
    )

    migrate("accounts", "0004_digests_of_login_cookies")

    assert SessionStore(COOKIE).load() == data
    assert not LoginSession.objects.filter(session_key=COOKIE).exists()
    changed = SessionStore(COOKIE)
    changed["seen"] = True
    changed.save()
    assert SessionStore(COOKIE)["seen"] is True
    changed.delete()
    assert SessionStore(COOKIE).load() == {}
    with pytest.raises(UpdateError):
        changed.save()
