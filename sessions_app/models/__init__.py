"""The tables of sessions and their fleet."""

from sessions_app.models.delivery import Outbox, OutboxKind, Receipt
from sessions_app.models.elicitation import Elicitation, ElicitationStatus
from sessions_app.models.fleet import Host, Lease, Runner, TunnelKind
from sessions_app.models.item import Item
from sessions_app.models.log import LogEntry, Store
from sessions_app.models.session import Grant, Kind, Session, SessionLabel, Status
from sessions_app.models.turn import Turn, TurnStatus

__all__ = [
    "Elicitation",
    "ElicitationStatus",
    "Grant",
    "Host",
    "Item",
    "Kind",
    "Lease",
    "LogEntry",
    "Outbox",
    "OutboxKind",
    "Receipt",
    "Runner",
    "Session",
    "SessionLabel",
    "Status",
    "Store",
    "TunnelKind",
    "Turn",
    "TurnStatus",
]
