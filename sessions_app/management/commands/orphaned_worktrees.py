"""List git work trees on connected hosts that no session works in any more; remove them when told to."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from omnigent.api.pool import DatabasePool
from sessions_app.flows import orphans
from sessions_app.flows.orphans import Found, State
from sessions_app.rpc import Rpc, replicas_key
from sessions_app.tunnels.registry import Tunnels

# Longer than a host may take to make one, so that a creation under way is no orphan.
OLDER_THAN_SECONDS = 300
THREADS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What is to be done; without paths with every orphan."""

    older_than: timedelta
    paths: frozenset[str]
    remove: bool
    force: bool


class Command(BaseCommand):
    """`manage.py orphaned_worktrees [PATH …] [--remove [--force]]`."""

    help = "List git work trees whose session is gone; --remove removes those with which nothing is lost."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("paths", nargs="*", metavar="PATH", help="only these")
        parser.add_argument("--remove", action="store_true", help="remove those that are clean")
        parser.add_argument("--force", action="store_true", help="with --remove: the others, too")
        parser.add_argument("--json", action="store_true", help="one JSON object a line")
        parser.add_argument(
            "--older-than", type=int, default=OLDER_THAN_SECONDS, metavar="SECONDS", help="default 300"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["force"] and not options["remove"]:
            raise CommandError("--force says how to remove; give --remove as well")
        wanted = Wanted(
            older_than=timedelta(seconds=max(options["older_than"], 0)),
            paths=frozenset(options["paths"]),
            remove=options["remove"],
            force=options["force"],
        )
        is_any_kept = False
        for row in asyncio.run(_act(wanted)):
            self.stdout.write(json.dumps(row) if options["json"] else _line(row))
            is_any_kept = is_any_kept or "kept" in row
        if is_any_kept:
            raise CommandError("not every orphaned work tree could be removed")


class _Operator:
    """The operator's own way to the hosts: by way of the servers that hold their tunnels."""

    def __init__(self) -> None:
        self.pool = DatabasePool(THREADS)
        self.rpc = Rpc(tunnels=Tunnels(), pool=self.pool, replica_id="", key=replicas_key())

    async def close(self) -> None:
        await self.rpc.close()
        self.pool.close()


async def _act(wanted: Wanted) -> list[Mapping[str, Any]]:
    operator = _Operator()
    rows: list[Mapping[str, Any]] = []
    try:
        for found in await orphans.look(operator, older_than=wanted.older_than):
            if wanted.paths and found.path not in wanted.paths:
                continue
            row = _row(found)
            if wanted.remove:
                kept = await orphans.remove(operator, found, force=wanted.force)
                row |= {_done(found): True} if kept is None else {"kept": kept}
            rows.append(row)
    finally:
        await operator.close()
    return rows


def _done(found: Found) -> str:
    is_asked = found.state is not State.GONE and found.orphan.host_name is not None
    return "removed" if is_asked else "forgotten"


def _row(found: Found) -> dict[str, Any]:
    orphan = found.orphan
    return {
        "host": orphan.host_name or orphan.host_id,
        "host_id": orphan.host_id,
        "path": found.path,
        "repository": orphan.repository,
        "branch": orphan.branch,
        "session_id": orphan.session_id,
        "age_seconds": int(orphan.age.total_seconds()),
        "state": str(found.state),
        "unpushed": found.unpushed,
        "detached": found.is_detached,
        "problem": found.problem,
    }


def _line(row: Mapping[str, Any]) -> str:
    unpushed = "?" if row["unpushed"] is None else row["unpushed"]
    fields = [
        row["host"],
        row["path"] or f"(somewhere beside {row['repository']})",
        row["branch"],
        f"{row['age_seconds'] // 3600} h",
        row["state"],
        f"{unpushed} unpushed",
        row["session_id"],
    ]
    outcome = row.get("kept") or row["problem"]
    outcome = next((word for word in ("removed", "forgotten") if word in row), outcome)
    if outcome:
        fields.append(outcome)
    # A name on somebody's disk may hold any character but NUL.
    return "\t".join(json.dumps(str(field), ensure_ascii=False)[1:-1] for field in fields)
