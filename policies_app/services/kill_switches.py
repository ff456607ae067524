"""Kill switches: thrown and taken back by administrators; every server hears of it by the revision."""

from functools import partial

from django.db import IntegrityError, transaction
from django.utils import timezone

from omnigent.accounts.principal import Principal
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import KILL_SWITCH, canonical
from policies_app.models import KillSwitch
from policies_app.services.revisions import bump_revision
from policies_app.signals import kill_switch_thrown


def throw_switch(*, principal: Principal, kind: str, target: str, reason: str = "") -> KillSwitch:
    """Stop an agent, a person or a host. Raises ALREADY_EXISTS when it is stopped."""
    switch = KillSwitch(
        kind=kind, target=target, reason=reason, created_by=principal.user_id, created_at=timezone.now()
    )
    with transaction.atomic():
        try:
            with transaction.atomic():
                switch.save()
        except IntegrityError:
            if not KillSwitch.objects.filter(kind=kind, target=target).exists():
                raise
            message = f"There is a kill switch for {kind} '{target}' already"
            raise OmnigentError(ErrorCode.ALREADY_EXISTS, message) from None
        bump_revision()
        transaction.on_commit(partial(kill_switch_thrown.send, sender=KillSwitch))
    return switch


def take_back(*, switch_id: str) -> bool:
    """Remove a switch; whether it was there."""
    public_id = canonical(KILL_SWITCH, switch_id)
    with transaction.atomic():
        removed, _ = KillSwitch.objects.filter(public_id=public_id).delete()
        if removed:
            bump_revision()
    return bool(removed)
