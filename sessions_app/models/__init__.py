"""The tables of sessions and their fleet."""

from sessions_app.models.comment import Comment, CommentStatus
from sessions_app.models.delivery import Outbox, OutboxKind, Receipt
from sessions_app.models.elicitation import Elicitation, ElicitationStatus
from sessions_app.models.file import Blob, File
from sessions_app.models.fleet import Host, Lease, Runner, TunnelKind
from sessions_app.models.held import HeldAction, HeldKind
from sessions_app.models.item import Item
from sessions_app.models.log import LogEntry, Store
from sessions_app.models.pending_input import PendingInput
from sessions_app.models.policy import PolicyMemory, SessionPolicy
from sessions_app.models.project import Project, ProjectOrder, SortMode
from sessions_app.models.read_state import ReadState
from sessions_app.models.search import SearchProgress, SearchText
from sessions_app.models.session import Grant, Kind, Session, SessionLabel, Status
from sessions_app.models.sharing import Sharing, SharingMode
from sessions_app.models.turn import Turn, TurnStatus
from sessions_app.models.usage import UserDailyCost
from sessions_app.models.worktree import Worktree

__all__ = [
    "Blob",
    "Comment",
    "CommentStatus",
    "Elicitation",
    "ElicitationStatus",
    "File",
    "Grant",
    "HeldAction",
    "HeldKind",
    "Host",
    "Item",
    "Kind",
    "Lease",
    "LogEntry",
    "Outbox",
    "OutboxKind",
    "PendingInput",
    "PolicyMemory",
    "Project",
    "ProjectOrder",
    "ReadState",
    "Receipt",
    "Runner",
    "SearchProgress",
    "SearchText",
    "Session",
    "SessionLabel",
    "SessionPolicy",
    "Sharing",
    "SharingMode",
    "SortMode",
    "Status",
    "Store",
    "TunnelKind",
    "Turn",
    "TurnStatus",
    "UserDailyCost",
    "Worktree",
]
