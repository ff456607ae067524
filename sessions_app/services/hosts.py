"""A person's hosts: which one a request means, what they are asked, and forgetting one that is gone."""

from dataclasses import dataclass
from functools import partial

import orjson
from django.db import transaction

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import canonical_host
from sessions_app.events import publish
from sessions_app.models import Host, Runner, Session, TunnelKind, Worktree
from sessions_app.services import presence, receipts
from sessions_app.services.receipts import Answer, Claim

REFRESHES = "refresh_harnesses"


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where on its host a session works, as the host itself names it; `worktree` is one made for it."""

    workspace: str
    git_branch: str = ""
    worktree: str = ""


def named(principal: Principal, text: str) -> Host:
    """The host that a request names. Raises 404 for one that nobody registered, 403 for another person's."""
    host_id = canonical_host(text)
    host = Host.objects.filter(public_id=host_id).first() if host_id else None
    if host is None:
        raise OmnigentError(ErrorCode.NOT_FOUND, "host not found", detail="host not found")
    if host.owner != principal.user_id:
        raise OmnigentError(ErrorCode.FORBIDDEN, "not your host", detail="not your host")
    return host


def connected(principal: Principal, text: str) -> Host:
    """The same for one that has to be there: 409 while it is away."""
    host = named(principal, text)
    if not presence.is_online(TunnelKind.HOST, host.public_id):
        raise is_offline()
    return host


def refreshing(principal: Principal, text: str) -> Host:
    """The same for one that has to probe its harnesses: 409 when it can do so only by itself."""
    host = connected(principal, text)
    if REFRESHES not in host.capabilities:
        raise OmnigentError(
            ErrorCode.REFRESH_UNSUPPORTED, "This host probes its harnesses by itself and not when asked"
        )
    return host


def is_offline() -> OmnigentError:
    """The answer to a request for a host that is away."""
    return OmnigentError(ErrorCode.CONFLICT, "host is offline")


def remove(principal: Principal, text: str, claimed: Claim | None) -> Answer:
    """Forget a host that is away and that no session names; its daemon may register it anew."""

    def work() -> Answer:
        host = Host.objects.select_for_update().get(pk=named(principal, text).pk)
        host_id = host.public_id
        if presence.is_online(TunnelKind.HOST, host_id):
            raise OmnigentError(ErrorCode.CONFLICT, "The host is connected; end its daemon first")
        bound = Session.objects.filter(host_id=host_id).count()
        if bound:
            raise OmnigentError(
                ErrorCode.CONFLICT, f"The host still has {bound} sessions; delete them or move them away"
            )
        # Whoever registers the id next has no say in what was launched before. The lease stays: its
        # generation fences connections of before.
        Runner.objects.filter(host_id=host_id).update(host_id="")
        Worktree.objects.filter(host_id=host_id).delete()
        host.delete()
        transaction.on_commit(partial(publish.ring, "tunnel", TunnelKind.HOST, host_id))
        return Answer(200, orjson.dumps({"id": host_id, "object": "host.deleted", "deleted": True}))

    return receipts.once(claimed, work)
