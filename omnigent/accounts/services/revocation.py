"""Taking rights away, and saying so to whoever holds a connection open."""

from functools import partial
from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.dispatch import receiver
from django.utils import timezone

from omnigent.accounts.models import AccessToken, LoginSession, User
from omnigent.accounts.principal import Scope
from omnigent.accounts.signals import access_changed
from omnigent.accounts.standing import expanded


def announce(username: str, *, ends_tunnels: bool = False) -> None:
    """Tell everybody who listens, once the change is committed."""
    send = partial(access_changed.send, sender=User, username=username, ends_tunnels=ends_tunnels)
    transaction.on_commit(send)


def revoke_token(token: AccessToken) -> bool:
    """End a token for good; false when it had been revoked before."""
    live = AccessToken.objects.filter(pk=token.pk, revoked_at__isnull=True)
    with transaction.atomic():
        if not live.update(revoked_at=timezone.now()):
            return False
        announce(token.user.username, ends_tunnels=Scope.HOST in expanded(token.scopes))
    return True


@receiver(post_save, sender=User)
def user_saved(instance: User, *, created: bool, update_fields: Any = None, **kwargs: Any) -> None:
    """Whatever was changed, by the admin, a command or a password reset. A login changes nothing."""
    if not created and set(update_fields or ("all",)) != {"last_login"}:
        announce(instance.username, ends_tunnels=not instance.is_active)


@receiver(post_delete, sender=User)
def user_deleted(instance: User, **kwargs: Any) -> None:
    announce(instance.username, ends_tunnels=True)


@receiver(post_delete, sender=LoginSession)
def login_ended(instance: LoginSession, **kwargs: Any) -> None:
    """By a logout, or by an administrator; one that had expired has ended by itself."""
    if instance.user_id is not None and instance.expire_date > timezone.now():
        name = User.objects.filter(pk=instance.user_id).values_list("username", flat=True).first()
        announce(name or "")
