"""The configured database engine, with the fuse held to every statement and commit."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from omnigent.settings import DATABASES
from tests.chaos.fuse import Moment, fuse_from_environment

backend = import_module(f"{DATABASES['default']['ENGINE']}.base")
fuse = fuse_from_environment()


class DatabaseWrapper(backend.DatabaseWrapper):
    """Remembers the statements of the open transaction, so that a commit can be told by what it contains."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.uncommitted: list[str] = []
        self.execute_wrappers.append(self.observe)

    def observe(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]
    ) -> Any:
        """Hold the fuse before and after a statement."""
        fuse.reach(Moment.BEFORE_STATEMENT, sql)
        outcome = execute(sql, params, many, context)
        fuse.reach(Moment.AFTER_STATEMENT, sql)
        if self.in_atomic_block:
            self.uncommitted.append(sql)
        else:
            fuse.reach(Moment.AFTER_COMMIT, sql)
        return outcome

    def _commit(self) -> None:
        statements, self.uncommitted = self.uncommitted, []
        fuse.reach(Moment.BEFORE_COMMIT, *statements)
        super()._commit()
        fuse.reach(Moment.AFTER_COMMIT, *statements)

    def _rollback(self) -> None:
        self.uncommitted = []
        super()._rollback()
