"""The work trees that hosts were asked for: whom each was made for, and which ones nobody works in."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from omnigent.ids import mint
from sessions_app.models import Host, Session, SessionLabel, Worktree
from sessions_app.services import rules
from sessions_app.services.sessions import with_descendants


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """A work tree on a host's disk; `branch` is what it was made for."""

    host_id: str
    path: str
    branch: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Orphan:
    """A work tree that nobody works in; `path` is empty when the host never said where it is.

    `host_name` is None for a host that is not registered any more.
    """

    request_id: str
    session_id: str
    host_id: str
    host_name: str | None
    repository: str
    branch: str
    path: str
    age: timedelta


def begin(*, request_id: str, session_id: str, host_id: str, repository: str, branch: str) -> None:
    """Note what a host is about to be asked for, so that no crash makes a tree that nobody knows of."""
    Worktree.objects.create(
        request_id=request_id, session_id=session_id, host_id=host_id, repository=repository, branch=branch
    )


def settle(*, request_id: str, host_id: str, path: str, branch: str) -> None:
    """The host has made it; whatever else was known at that path is gone."""
    with transaction.atomic():
        Worktree.objects.filter(host_id=host_id, path=path).exclude(request_id=request_id).delete()
        Worktree.objects.filter(request_id=request_id).update(path=path, branch=branch)


def give_up(request_id: str) -> None:
    """The host has not made it."""
    Worktree.objects.filter(request_id=request_id).delete()


def forget(tree: Tree) -> None:
    """A tree is gone from its host's disk."""
    with transaction.atomic():
        noted = Worktree.objects.filter(host_id=tree.host_id, path=tree.path)
        here = Q(session__host_id=tree.host_id) | Q(session__public_id__in=noted.values("session_id"))
        SessionLabel.objects.filter(here, key=rules.WORKTREE, value=tree.path).delete()
        noted.delete()


def remember(tree: Tree, *, session_id: str) -> None:
    """Note a tree that stays when its session goes, should it be from before such notes were made."""
    if not Worktree.objects.filter(host_id=tree.host_id, path=tree.path).exists():
        Worktree.objects.create(
            request_id=mint("req"),
            session_id=session_id,
            host_id=tree.host_id,
            repository=tree.path,
            branch=tree.branch,
            path=tree.path,
        )


def made_for(session_pk: int) -> Tree | None:
    """The tree that was made for a session, where it is; None without one."""
    label = SessionLabel.objects.filter(session=session_pk, key=rules.WORKTREE)
    row = label.values_list("value", "session__public_id", "session__host_id", "session__git_branch").first()
    if row is None:
        return None
    path, session_id, host_id, branch = row
    # The session may have moved to another host, where that path is somebody else's.
    noted = Worktree.objects.filter(session_id=session_id, path=path).order_by("-pk").first()
    if noted is not None:
        return Tree(host_id=noted.host_id, path=path, branch=noted.branch)
    return Tree(host_id=host_id, path=path, branch=branch) if host_id else None


def is_worked_in(tree: Tree, *, besides: Collection[int]) -> bool:
    """Whether a session other than these works in a tree, or below it."""
    return _working_in(tree.host_id, tree.path).exclude(pk__in=besides).exists()


def of_archived(session_pk: int) -> Tree | None:
    """The tree that goes with an archived session: none that another session works in."""
    if not Session.objects.filter(pk=session_pk, archived=True).exists():
        return None
    tree = made_for(session_pk)
    if tree is None or is_worked_in(tree, besides=with_descendants(session_pk)):
        return None
    return tree


def orphans(*, older_than: timedelta) -> Sequence[Orphan]:
    """Trees that no session works in, oldest first.

    A creation that is under way has a note and no session yet, hence the age.
    """
    now = timezone.now()
    rows = Worktree.objects.filter(created_at__lte=now - older_than).order_by("pk")
    names = dict(Host.objects.values_list("public_id", "name"))
    return [
        Orphan(
            request_id=row.request_id,
            session_id=row.session_id,
            host_id=row.host_id,
            host_name=names.get(row.host_id),
            repository=row.repository,
            branch=row.branch,
            path=row.path,
            age=now - row.created_at,
        )
        for row in rows
        if not row.path or not _working_in(row.host_id, row.path).exists()
    ]


def is_free(tree: Tree) -> bool:
    """Whether no session works in a tree, asked again before it is removed."""
    return not is_worked_in(tree, besides=())


def _working_in(host_id: str, path: str) -> QuerySet[Session]:
    label = SessionLabel.objects.filter(session=OuterRef("pk"), key=rules.WORKTREE, value=path)
    inside = Q(workspace=path) | Q(workspace__startswith=f"{path}/") | Exists(label)
    return Session.objects.filter(inside, host_id=host_id)
