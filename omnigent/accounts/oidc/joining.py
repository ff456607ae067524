"""From a person whom the issuer vouches for to an account here."""

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction

from omnigent.accounts.models import User
from omnigent.accounts.oidc.claims import Claims, Person, person_of, refused
from omnigent.accounts.services import users

TAKEN = "An account with your e-mail address as its name exists already; ask an administrator"


def account_of(claims: Claims, *, provider: str) -> User:
    """The account behind a login, made at the first one. Raises FORBIDDEN, in words for the person."""
    person = person_of(claims)
    known = SocialAccount.objects.filter(provider=provider, uid=person.subject).select_related("user").first()
    user = known.user if known is not None else _joined(person, provider)
    assert isinstance(user, User)
    if not user.is_active:
        raise refused("Your account is locked")
    _follow_groups(user, person)
    return user


def _joined(person: Person, provider: str) -> User:
    """A new account without a password, or one that nobody could log in to: a proxy named that person before.

    Whoever was invited could choose any name, so a name alone never opens an account that has another way in.
    """
    if users.needs_setup() and not person.is_admin:
        raise refused("The server is not set up yet; its first administrator comes first")
    try:
        with transaction.atomic():
            user = User.objects.select_for_update().filter(username=person.email).first()
            if user is None:
                user = User.objects.create(
                    username=person.email, email=person.email, password=make_password(None)
                )
            elif user.has_usable_password() or SocialAccount.objects.filter(user=user).exists():
                raise refused(TAKEN)
            SocialAccount.objects.create(
                user=user, provider=provider, uid=person.subject, extra_data={"email": person.email}
            )
    except IntegrityError:
        # Two first logins of one person at once: the other one has made the account.
        raise refused("Please log in again") from None
    return user


def _follow_groups(user: User, person: Person) -> None:
    """Where groups make administrators, they unmake them too; what is not configured is left as it is."""
    if not settings.OMNIGENT_OIDC_ADMIN_GROUPS or user.is_auditor or user.is_staff == person.is_admin:
        return
    user.is_staff = user.is_superuser = person.is_admin
    user.save(update_fields=["is_staff", "is_superuser"])
