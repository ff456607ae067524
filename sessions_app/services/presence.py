"""Who is there: hosts and runners that said hello, and their tunnels' leases, in the database's time."""

from collections.abc import Iterable, Sequence
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django.dispatch import receiver
from django.utils import timezone

from omnigent.accounts.principal import RESERVED_NAMES
from omnigent.accounts.signals import access_changed
from omnigent.accounts.standing import standing_of
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.protocol.frames import Hello
from omnigent.protocol.host_frames import HostHello
from sessions_app.events import publish
from sessions_app.models import Host, Lease, Runner, Session, TunnelKind
from sessions_app.statements import Slot, Statement, compiled, kept

MAX_HOST_NAME = 256
MAX_VERSION = 64
MAX_REPORT = 8192


def lease_term() -> timedelta:
    """How long a tunnel is trusted after its last frame."""
    return timedelta(seconds=settings.OMNIGENT_LEASE_SECONDS)


def open_tunnel(*, kind: str, name: str, holder: str, address: str) -> int:
    """Take the lease of a tunnel for this process; the new generation fences every older one."""
    with transaction.atomic():
        now = timezone.now()
        Lease.objects.get_or_create(
            kind=kind,
            name=name,
            defaults={"holder": holder, "address": address, "renewed_at": now, "expires_at": now},
        )
        Lease.objects.filter(kind=kind, name=name).update(
            generation=F("generation") + 1,
            holder=holder,
            address=address,
            renewed_at=Now(),
            expires_at=Now() + lease_term(),
            closed_at=None,
        )
        generation = Lease.objects.values_list("generation", flat=True).get(kind=kind, name=name)
        transaction.on_commit(lambda: publish.ring("tunnel", kind, name))
        return generation


def renew(*, holder: str, tunnels: Sequence[tuple[str, str, int]]) -> set[tuple[str, str, int]]:
    """Extend the leases of these (kind, name, generation); returns those that are still this process's."""
    if not tunnels:
        return set()
    names = [name for _, name, _ in tunnels]
    mine = Lease.objects.filter(holder=holder, name__in=names, closed_at__isnull=True)
    mine.update(renewed_at=Now(), expires_at=Now() + lease_term())
    return set(mine.values_list("kind", "name", "generation")) & set(tunnels)


def close_tunnel(*, kind: str, name: str, generation: int, settled: bool = False) -> bool:
    """A tunnel ended. Its lease runs on until it expires, unless the end is `settled` for good."""
    lease = Lease.objects.filter(kind=kind, name=name, generation=generation, closed_at__isnull=True)
    changed = lease.update(closed_at=Now(), **({"expires_at": Now()} if settled else {}))
    publish.ring("tunnel", kind, name)
    return bool(changed)


def online(kind: str, names: Iterable[str]) -> set[str]:
    """Which of these runners or hosts have an open tunnel somewhere."""
    wanted = {name for name in names if name}
    if not wanted:
        return set()
    live = Lease.objects.filter(kind=kind, name__in=wanted, closed_at__isnull=True, expires_at__gt=Now())
    return set(live.values_list("name", flat=True))


def is_newest(*, kind: str, name: str, generation: int) -> bool:
    """Whether no newer tunnel of that name has been opened anywhere."""
    return Lease.objects.filter(kind=kind, name=name, generation=generation).exists()


def is_trusted(kind: str, name: str) -> bool:
    """Whether this runner or host was heard of within its lease, be its tunnel open or not."""
    return Lease.objects.filter(kind=kind, name=name, expires_at__gt=Now()).exists()


def is_online(kind: str, name: str) -> bool:
    """Whether this runner or host has an open tunnel somewhere."""
    return bool(name) and _online_statement().row(kind=kind, name=name) is not None


@kept
def _online_statement() -> Statement:
    live = Lease.objects.filter(
        kind=Slot("kind"), name=Slot("name"), closed_at__isnull=True, expires_at__gt=Now()
    )
    return compiled(live.values_list("generation"))


def register_host(*, host_id: str, owner: str, hello: HostHello) -> None:
    """Record a host's hello. Raises CONFLICT when the id belongs to somebody else."""
    now = timezone.now()
    values = {
        "name": _line(hello.name, MAX_HOST_NAME) or host_id,
        "version": _line(hello.version, MAX_VERSION),
        "configured_harnesses": _plain(hello.configured_harnesses),
        "gateway_inference": _plain(hello.gateway_inference),
        "interactive_shells": list(hello.interactive_shells or ()),
        "capabilities": list(hello.capabilities),
        "said_hello_at": now,
    }
    host, _ = Host.objects.get_or_create(
        public_id=host_id, defaults={**values, "owner": owner, "created_at": now}
    )
    if host.owner != owner:
        raise OmnigentError(ErrorCode.CONFLICT, "This host id belongs to another user")
    Host.objects.filter(pk=host.pk).update(**values)


def _line(text: str, limit: int) -> str:
    """What somebody else calls itself, as one line that can be stored and shown."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())[:limit]


def _plain(value: object) -> object:
    return dict(value) if hasattr(value, "items") else value  # type: ignore[call-overload]  # any mapping


def update_readiness(*, host_id: str, configured_harnesses: object, gateway_inference: object) -> None:
    """A host has probed its harnesses again."""
    Host.objects.filter(public_id=host_id).update(
        configured_harnesses=_plain(configured_harnesses), gateway_inference=_plain(gateway_inference)
    )


def owner_of_host(host_id: str) -> str | None:
    """Who registered this host id first."""
    return Host.objects.filter(public_id=host_id).values_list("owner", flat=True).first()


def owner_of_runner(runner_id: str) -> str | None:
    """Who owns a runner that was launched or has dialled in before."""
    return Runner.objects.filter(public_id=runner_id).values_list("owner", flat=True).first()


def is_revoked(runner_id: str) -> bool:
    """Whether a runner's token and bearers are good for nothing any more."""
    return Runner.objects.filter(public_id=runner_id, revoked_at__isnull=False).exists()


def is_welcome(owner: str) -> bool:
    """Whether hosts and runners may work for this person now."""
    found = None if owner in RESERVED_NAMES else standing_of(owner)
    return bool(owner) and found is not None and not found.is_auditor


@receiver(access_changed)
def look_again(username: str, *, ends_tunnels: bool, **kwargs: object) -> None:
    """Somebody may do less now: open streams ask whether they may go on, and tunnels dial in again."""
    publish.ring("access")
    if ends_tunnels:
        end_tunnels(username)


def end_tunnels(owner: str) -> None:
    """Have every process let go of a person's tunnels; their leases run on until they expire.

    Whoever has a credential that is still good is back at once.
    """
    hosts = Host.objects.filter(owner=owner).values("public_id")
    runners = Runner.objects.filter(owner=owner, exited_at__isnull=True).values("public_id")
    theirs = Q(kind=TunnelKind.HOST, name__in=hosts) | Q(kind=TunnelKind.RUNNER, name__in=runners)
    open_ones = Lease.objects.filter(theirs, closed_at__isnull=True)
    for kind, name, generation in list(open_ones.values_list("kind", "name", "generation")):
        close_tunnel(kind=kind, name=name, generation=generation)


def register_runner(*, runner_id: str, owner: str, hello: Hello) -> None:
    """Record a runner's hello. Raises CONFLICT when the id belongs to somebody else."""
    now = timezone.now()
    values = {
        "version": _line(hello.runner_version, MAX_VERSION),
        "harnesses": list(hello.harnesses),
        "capabilities": list(hello.capabilities),
        "said_hello_at": now,
        "exited_at": None,
        "exit_report": "",
    }
    runner, _ = Runner.objects.get_or_create(
        public_id=runner_id, defaults={**values, "owner": owner, "created_at": now}
    )
    if runner.owner != owner:
        raise OmnigentError(ErrorCode.CONFLICT, "This runner id belongs to another user")
    Runner.objects.filter(pk=runner.pk).update(**values)


def sessions_of_runner(runner_id: str) -> list[int]:
    """Sessions whose stream must be read now: busy ones, those with something to deliver, and those that were
    given up without this runner, which may have gone on.
    """
    bound = Session.objects.filter(runner_id=runner_id)
    busy = Q(status__in=["running", "waiting"]) | Q(outbox__isnull=False) | Q(elicitations__status="pending")
    given_up = Q(status="failed", last_task_error__code="runner_disconnected")
    return list(bound.filter(busy | given_up).values_list("pk", flat=True).distinct())


def report_exit(*, runner_id: str, host_id: str, report: str) -> list[int]:
    """A host saw one of its runners end: its lease is over now, and so is what its token was good for.
    Returns the sessions bound to it.
    """
    known = Runner.objects.filter(public_id=runner_id, host_id=host_id)
    now = timezone.now()
    if not known.update(exited_at=now, revoked_at=now, exit_report=report[:MAX_REPORT]):
        return []
    Lease.objects.filter(kind=TunnelKind.RUNNER, name=runner_id).update(closed_at=Now(), expires_at=Now())
    return list(Session.objects.filter(runner_id=runner_id).values_list("pk", flat=True))
