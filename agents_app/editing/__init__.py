"""Changing a bundle's files: each change keeps what it does not know of."""

from agents_app.editing.config import apply_changes
from agents_app.editing.documents import EditRefused, Files, NoSuchServer, ServerExists
from agents_app.editing.mcp_servers import add_server, change_server, remove_server

__all__ = [
    "EditRefused",
    "Files",
    "NoSuchServer",
    "ServerExists",
    "add_server",
    "apply_changes",
    "change_server",
    "remove_server",
]
