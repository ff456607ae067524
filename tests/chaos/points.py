"""The points of the crash tests: SQL and lines to recognise, and the sets that several writes share."""

from collections.abc import Mapping

from tests.chaos.fuse import Moment, Point

Points = Mapping[str, Point]


def touching(verb: str, table: str) -> str:
    """A pattern for the SQL that inserts into, updates or deletes from a table, quoted or not."""
    return rf'{verb} "?{table}"?(?!\w)'


def posting(path: str) -> str:
    """A pattern for the request line of a POST; `*` stands for an id."""
    return f"^POST {path.replace('*', '[^/]+')}$"


ITEM = touching("INSERT INTO", "sessions_app_item")
SESSION = touching("INSERT INTO", "sessions_app_session")
CHANGE = touching("UPDATE", "sessions_app_session")
REMOVAL = touching("DELETE FROM", "sessions_app_session")
LABEL = touching("INSERT INTO", "sessions_app_sessionlabel")
LOG = touching("INSERT INTO", "sessions_app_logentry")
RECEIPT = touching("INSERT INTO", "sessions_app_receipt")
VERDICT = touching("UPDATE", "sessions_app_elicitation")
DECISION = touching("INSERT INTO", "policies_app_decision")
HELD = touching("INSERT INTO", "sessions_app_heldaction")
HELD_CHANGE = touching("UPDATE", "sessions_app_heldaction")
RUNNER = touching("INSERT INTO", "sessions_app_runner")
OUTBOX_ENTRY = touching("INSERT INTO", "sessions_app_outbox")
OUTBOX_CLAIM = touching("UPDATE", "sessions_app_outbox")
OUTBOX_END = touching("DELETE FROM", "sessions_app_outbox")

CREATE = posting("/v1/sessions")
EVENTS = posting("/v1/sessions/*/events")
RESOLVE = posting("/v1/sessions/*/elicitations/*/resolve")
TOOL_GATE = posting("/v1/sessions/*/mcp")
EVALUATE = posting("/v1/sessions/*/policies/evaluate")
LAUNCH = posting("/v1/hosts/*/runners")
PATCH = r"^PATCH /v1/sessions/[^/]+$"
DELETE = r"^DELETE /v1/sessions/[^/]+$"


def after_statement(statement: str) -> Point:
    """The statement is executed, the transaction is open."""
    return Point(moment=Moment.AFTER_STATEMENT, match=statement)


def after_commit(statement: str) -> Point:
    """The transaction is durable, nobody has been told."""
    return Point(moment=Moment.AFTER_COMMIT, match=statement)


def before_acknowledgement(line: str) -> Point:
    """Everything is done but the answer."""
    return Point(moment=Moment.BEFORE_ANSWER, match=line)


def after_publish(event: str) -> Point:
    """A subscriber has been sent the event."""
    return Point(moment=Moment.AFTER_FRAME, match=f"event: {event}")


def of_a_write(statement: str, line: str) -> Points:
    """A statement, its commit, and the answer."""
    return {
        "after the statement": after_statement(statement),
        "after commit": after_commit(statement),
        "before acknowledgement": before_acknowledgement(line),
    }


def of_a_forward(words: str) -> Points:
    """Telling the runner, by a frame with these words in it."""
    return {
        "before the runner is told": Point(moment=Moment.BEFORE_SOCKET_TEXT, match=words),
        "after the runner is told": Point(moment=Moment.AFTER_SOCKET_TEXT, match=words),
    }


def of_a_delivery(words: str) -> Points:
    """The way of an outbox row to the runner."""
    return {
        "after the outbox row is claimed": after_commit(OUTBOX_CLAIM),
        **of_a_forward(words),
        "before outbox delete": Point(moment=Moment.BEFORE_STATEMENT, match=OUTBOX_END),
        "after outbox delete": after_commit(OUTBOX_END),
    }
