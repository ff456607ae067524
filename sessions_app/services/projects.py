"""Projects: a person's folders, how they are ordered, and which sessions lie in them."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from omnigent.accounts.identity import Principal
from omnigent.api.pagination import Keyset, Page, cut, envelope
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import canonical
from sessions_app.events import publish
from sessions_app.models import Project, ProjectOrder, Session, SessionLabel, SortMode
from sessions_app.models.project import PROJECT
from sessions_app.services import rules

Shown = Mapping[str, Any]  # what an answer shows
PAGES = Keyset(id_column="public_id", columns=("created_at", "id"))
DEFAULT_AGENT = "default_agent_id"
ICON = "icon"


def own(principal: Principal) -> "QuerySet[Project]":
    """The caller's projects. Raises 403 for whoever is no person."""
    if principal.kind != "user":
        raise OmnigentError(ErrorCode.FORBIDDEN, "Projects belong to people")
    found: QuerySet[Project] = Project.objects.filter(owner=principal.user_id)
    return found


def find(principal: Principal, project_id: str) -> Project:
    """One of the caller's projects. Raises 404 for unknown and for foreign ones."""
    public_id = canonical(PROJECT, project_id)
    project = own(principal).filter(public_id=public_id).first() if public_id else None
    if project is None:
        raise not_found()
    return project


def not_found() -> OmnigentError:
    """The one answer for a project that is missing and for one of somebody else."""
    return OmnigentError(ErrorCode.NOT_FOUND, "Project not found")


def shown(project: Project) -> Shown:
    """A project as the API shows it."""
    return {
        "id": project.public_id,
        "object": "project",
        "name": project.name,
        "created_at": int(project.created_at.timestamp()),
        "updated_at": int(project.updated_at.timestamp()),
        "config": project.config,
    }


def page(principal: Principal, ask: Page) -> Shown:
    """One page of the caller's projects."""
    mine = own(principal)
    rows = list(PAGES.apply(mine, ask, PAGES.positions(mine, ask)))
    kept, has_more = cut(rows, ask)
    return envelope([shown(row) for row in kept], [row.public_id for row in kept], has_more=has_more)


def create_project(*, principal: Principal, name: str, config: Mapping[str, Any]) -> Project:
    """A new project. Raises ALREADY_EXISTS for a name that the caller has used."""
    own(principal)
    now = timezone.now()
    project = Project(owner=principal.user_id, name=name, config=dict(config), created_at=now, updated_at=now)
    return _saved(project)


def update_project(
    *, principal: Principal, project_id: str, name: str | None, config: Mapping[str, Any] | None
) -> Project:
    """Rename a project, or give it another config; None leaves either alone."""
    project = find(principal, project_id)
    if name is not None:
        project.name = name
    if config is not None:
        project.config = dict(config)
    project.updated_at = timezone.now()
    return _saved(project)


def _saved(project: Project) -> Project:
    try:
        with transaction.atomic():
            project.save()
            _announce()
    except IntegrityError:
        raise OmnigentError(
            ErrorCode.ALREADY_EXISTS, f"A project named '{project.name}' exists already"
        ) from None
    return project


def delete_project(*, principal: Principal, project_id: str) -> str:
    """Delete a project; its sessions stay and are unfiled. Gives its id."""
    project = find(principal, project_id)
    public_id: str = project.public_id
    with transaction.atomic():
        unfiled = list(project.sessions.values_list("pk", flat=True))
        project.delete()
        _announce()
        if unfiled:
            transaction.on_commit(partial(publish.ring, "rows", *map(str, unfiled)))
    return public_id


def _announce() -> None:
    transaction.on_commit(partial(publish.ring, "projects"))


def order(principal: Principal) -> Shown:
    """How the caller orders their projects. Deleted ones are left out."""
    chosen = ProjectOrder.objects.filter(owner=principal.user_id).first()
    known = set(own(principal).values_list("public_id", flat=True))
    ids = [public_id for public_id in (chosen.project_ids if chosen else ()) if public_id in known]
    return {"sort_mode": chosen.sort_mode if chosen else SortMode.ALPHABETICAL, "ordered_project_ids": ids}


def set_order(*, principal: Principal, sort_mode: str, project_ids: Sequence[str] | None) -> Shown:
    """Order the caller's projects; without ids the last manual order is kept for later."""
    wished: dict[str, Any] = {"sort_mode": sort_mode}
    own(principal)
    if project_ids is not None:
        ids = [canonical(PROJECT, text) or "" for text in project_ids]
        if len(set(ids)) != len(ids):
            raise rules.invalid("ordered_project_ids names a project twice")
        if own(principal).filter(public_id__in=ids).count() != len(ids):
            raise not_found()
        wished["project_ids"] = ids
    ProjectOrder.objects.update_or_create(owner=principal.user_id, defaults=wished)
    _announce()
    return order(principal)


def names(principal: Principal) -> list[Shown]:
    """The caller's projects in their order, then the names that only labels of their sessions hold."""
    projects = sorted(own(principal), key=lambda project: (project.name.casefold(), project.pk))
    chosen = order(principal)
    if chosen["sort_mode"] == SortMode.MANUAL:
        places = {public_id: place for place, public_id in enumerate(chosen["ordered_project_ids"])}
        projects.sort(key=lambda project: places.get(project.public_id, len(places)))
    rows: list[Shown] = [
        {"id": project.public_id, "name": project.name, "icon": project.config.get(ICON)}
        for project in projects
    ]
    known = {project.name for project in projects}
    mine = Session.objects.owned_by(principal.user_id).filter(project__isnull=True)
    labels = SessionLabel.objects.filter(key=rules.PROJECT, session__in=mine)
    old = set(labels.values_list("value", flat=True).distinct()) - known
    return [*rows, *({"id": None, "name": name, "icon": None} for name in sorted(old, key=str.casefold))]


def project_of(principal: Principal, project_id: str | None) -> Project | None:
    """The project that a new session is filed in."""
    return find(principal, project_id) if project_id else None


def default_agent(project: Project | None) -> str:
    """The id of the agent that the project's new sessions get when they name none; empty for none."""
    chosen = project.config.get(DEFAULT_AGENT) if project is not None else None
    return chosen if isinstance(chosen, str) else ""


def file_session(
    session: Session, principal: Principal, *, project_id: str | None, labels: Mapping[str, str]
) -> Mapping[str, str | None]:
    """Put a session into a project, or into none for empty text; gives the labels to change with it.

    A session lies in one place: the label of old and the project replace each other.
    """
    if project_id is None:
        if rules.PROJECT in labels:
            session.project_id = None
        return {}
    session.project_id = find(principal, project_id).pk if project_id else None
    return {rules.PROJECT: None}
