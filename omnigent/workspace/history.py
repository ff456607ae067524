"""Changes and differences of one workspace: against its repository, or else against a baseline."""

from omnigent.workspace.baseline import Baseline, changed_since
from omnigent.workspace.changes import (
    Shown,
    changed,
    changes_page,
    committed,
    current,
    difference,
    everything,
)
from omnigent.workspace.entries import Json
from omnigent.workspace.errors import Refused, missing
from omnigent.workspace.git import Git
from omnigent.workspace.names import shown
from omnigent.workspace.repository import repository_of
from omnigent.workspace.root import Root


def changes(git: Git, root: Root, *, baseline: Baseline | None = None, is_shown: Shown = everything) -> Json:
    """Without a repository and without a baseline nothing has changed. Raises Refused."""
    repository = repository_of(git, root.path)
    if repository is not None:
        return changed(git, repository, root, is_shown)
    if baseline is None:
        return changes_page(root, {}, is_shown)
    return changed_since(baseline, root, is_shown)


def diff(
    git: Git, root: Root, path: str, *, baseline: Baseline | None = None, is_shown: Shown = everything
) -> Json:
    """Both versions of a file. A baseline keeps no content, so without a repository only new files have a
    difference. Raises Refused.
    """
    parts = root.parts(path)
    if not parts or not is_shown(parts):
        raise missing(shown(parts))
    after = current(root, parts, is_shown)
    repository = repository_of(git, root.path)
    if repository is not None:
        return difference(parts, committed(git, repository, parts), after)
    if baseline is None or parts in baseline:
        raise Refused(
            404, "not_found", f"Path '{shown(parts)}' has no earlier version: there is no repository"
        )
    return difference(parts, None, after)
