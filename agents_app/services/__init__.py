"""The only writers of agents, and what is read of them."""

from agents_app.services.objects import OBJECT_COLUMNS, agent_object
from agents_app.services.reading import Contents, bindable, contents, files_of, spec_of
from agents_app.services.registering import Around, builtin_id, register_builtin, seed
from agents_app.services.uploading import (
    Check,
    Content,
    content_of,
    delete_agent,
    read_upload,
    replace_content,
    save_own,
    uploaded,
)

__all__ = [
    "OBJECT_COLUMNS",
    "Around",
    "Check",
    "Content",
    "Contents",
    "agent_object",
    "bindable",
    "builtin_id",
    "content_of",
    "contents",
    "delete_agent",
    "files_of",
    "read_upload",
    "register_builtin",
    "replace_content",
    "save_own",
    "seed",
    "spec_of",
    "uploaded",
]
