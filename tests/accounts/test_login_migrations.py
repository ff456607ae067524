"""The migration of logins: who is logged in stays so, and what is stored is no cookie any more."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.base import UpdateError
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from omnigent.accounts.login_sessions import SessionStore
from omnigent.accounts.models import LoginSession
from tests.accounts.people import make_person

COOKIE = "k" * 32


def migrate(name: str) -> None:
    """Go to a migration of the accounts, forwards or back."""
    executor = MigrationExecutor(connection)
    targets = [key for key in executor.loader.graph.leaf_nodes() if key[0] != "accounts"]
    executor.migrate([*targets, ("accounts", name)])


@pytest.fixture
def restored(transactional_db: None) -> Iterator[None]:
    """The newest migrations again after the test: other tests use the same database."""
    yield
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def test_a_login_of_old_goes_on_and_its_cookie_is_not_stored(restored: None) -> None:
    person = make_person()
    data = {SESSION_KEY: str(person.pk), HASH_SESSION_KEY: person.get_session_auth_hash()}
    migrate("0003_device_logins")
    LoginSession.objects.create(
        session_key=COOKIE,
        session_data=SessionStore().encode(data),
        expire_date=timezone.now() + timedelta(hours=1),
        user=person,
    )

    migrate("0004_digests_of_login_cookies")

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
