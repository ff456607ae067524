"""`sessions` and `show`: looking without changing anything."""

from datetime import UTC, datetime
from typing import cast

from rich.table import Table
from rich.text import Text

from omnigent_client.cli.exits import OK
from omnigent_client.cli.finding import find_session
from omnigent_client.cli.live.drawing import Painter
from omnigent_client.cli.live.view import SessionView
from omnigent_client.cli.safe_text import clean_line, json_line
from omnigent_client.cli.task import Task
from omnigent_client.records.sessions import Session, SessionRow
from omnigent_client.resources.fields import SessionFilters

PAGE = 1000
SHORT_ID = 13
TITLE_WIDTH = 200


async def list_sessions(task: Task) -> int:
    """Rows in columns on a terminal, tab-separated with whole ids in a pipe."""
    options, screen = task.options, task.screen
    filters = cast(
        SessionFilters,
        {
            "search_query": options.search,
            "agent_name": options.agent,
            "project": options.project,
            "pinned": True if options.pinned else None,
            "visibility": options.visibility,
            "kind": options.kind,
            "include_archived": True if options.archived else None,
            "sort_by": "updated_at",
            "order": "desc",
            "limit": min(options.limit, PAGE),
        },
    )
    rows: list[SessionRow] = []
    async with task.open_client() as client:
        async for row in client.sessions.iter(**filters):
            rows.append(row)
            if len(rows) == options.limit:
                break
    if options.json:
        screen.say(json_line([dict(row.raw) for row in rows]))
    elif screen.is_terminal:
        screen.draw(_table(rows))
    else:
        for row in rows:
            screen.say("\t".join((row.id, row.status, _agent(row), _time(row), _title(row))))
    return OK


async def show(task: Task) -> int:
    """What a session is, and everything that was said in it."""
    async with task.open_client() as client:
        session_id = await find_session(client, task.options.session)
        session = await client.sessions.get(session_id, include_items=False)
        if task.options.json:
            items = [dict(item.raw) for item in await client.sessions.all_items(session_id, limit=PAGE)]
            task.screen.say(json_line({**session.raw, "items": items}))
            return OK
        painter = Painter(task.screen, is_whole=task.options.full)
        for line in _facts(session):
            task.screen.say(line)
        view = SessionView(session)
        async for item in client.sessions.iter_items(session_id, limit=PAGE):
            painter.paint(view.add(item))
        painter.paint(view.unfinished())
    return OK


def _table(rows: list[SessionRow]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("ID", "STATUS", "AGENT", "CHANGED"):
        table.add_column(column, no_wrap=True)
    table.add_column("TITLE")
    for row in rows:
        status = f"{row.status} ?" if row.pending_elicitations_count else row.status
        table.add_row(
            *(
                Text(cell)
                for cell in (row.id[:SHORT_ID], clean_line(status), _agent(row), _time(row), _title(row))
            )
        )
    return table


def _facts(session: Session) -> list[str]:
    members = {
        "session": session.id,
        "title": session.title,
        "agent": session.agent_name or session.agent_id,
        "status": session.status,
        "model": session.model_override or session.llm_model,
        "workspace": session.workspace,
        "branch": session.git_branch,
        "parent": session.parent_session_id,
        "labels": ", ".join(f"{name}={value}" for name, value in session.labels.items()),
    }
    return [f"{name:<10}{clean_line(value)}" for name, value in members.items() if value]


def _agent(row: SessionRow) -> str:
    return clean_line(row.agent_name or row.agent_id)


def _time(row: SessionRow) -> str:
    seconds = row.updated_at or row.created_at
    return datetime.fromtimestamp(seconds, UTC).astimezone().strftime("%Y-%m-%d %H:%M")


def _title(row: SessionRow) -> str:
    return clean_line(row.title or "", longest=TITLE_WIDTH)
