"""Logins of browsers, and how often somebody has tried in vain."""

from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.utils.module_loading import import_string

from omnigent.accounts.models.user import User


class LoginSession(AbstractBaseSession):
    """A browser's login. Naming its user in a column lets one statement tell who shows the cookie.

    The key is the digest of the cookie: what the table holds logs nobody in.
    """

    session_key = models.CharField("session key", max_length=64, primary_key=True)
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, blank=True, related_name="logins")

    class Meta(AbstractBaseSession.Meta):
        verbose_name = "login"
        verbose_name_plural = "logins"

    @classmethod
    def get_session_store_class(cls) -> type[SessionBase]:
        store: type[SessionBase] = import_string("omnigent.accounts.login_sessions.SessionStore")
        return store


class LoginThrottle(models.Model):
    """Attempts under one key (an account or an address) since the first of them."""

    key = models.CharField(max_length=100, unique=True)
    attempts = models.PositiveIntegerField(default=0)
    since = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.key}: {self.attempts}"
