"""The names of Google's tools without the prefix of their server, by what they do."""

DEFAULT_PREFIXES = ("mcp__google__", "google__")


def _named(stem: str, *endings: str) -> frozenset[str]:
    return frozenset(f"{stem}{ending}" for ending in endings)


DRIVE_STEMS = ("docs_", "drive_", "sheets_", "slides_")
DRIVE_READS = (
    _named("docs_document_", "get", "list", "inspect_structure", "export", "export_as_markdown", "search")
    | _named("drive_", "search", "file_get", "file_list", "file_export", "comment_list", "comment_get")
    | _named("sheets_", "search", "spreadsheet_get", "values_get", "values_batch_get", "grid_data_get")
    | _named("slides_", "search", "presentation_get", "page_get")
)
DRIVE_CREATES = frozenset(
    {
        *("docs_document_create", "docs_document_create_from_markdown", "drive_file_create"),
        *("sheets_spreadsheet_create", "slides_presentation_create"),
    }
)
DRIVE_COMMENTS = _named("drive_comment_", "create", "reply_create")
DRIVE_WRITES = (
    _named("docs_document_", "batch_update", "edit_section", "apply_template_styles")
    | _named("drive_file_", "update", "delete", "copy")
    | _named("sheets_", "values_update", "values_append", "spreadsheet_batch_update")
    | _named("slides_", "presentation_batch_update")
)

GMAIL_STEMS = ("gmail_",)
GMAIL_READS = _named(
    "gmail_", "search", "message_list", "message_get", "thread_list", "thread_get", "profile_get"
)
GMAIL_SENDS = _named("gmail_", "message_send")
GMAIL_DRAFT_CREATES = _named("gmail_", "draft_create")
GMAIL_DRAFT_CHANGES = _named("gmail_", "draft_update", "draft_delete")
GMAIL_CHANGES = _named("gmail_", "message_modify", "thread_modify")

CALENDAR_STEMS = ("calendar_",)
CALENDAR_READS = _named("calendar_", "search", "event_list", "event_get", "calendar_list", "freebusy_query")
CALENDAR_CREATES = _named("calendar_", "event_create", "calendar_create")
CALENDAR_CHANGES = _named("calendar_", "event_update", "event_delete")


def own_name(tool: str, prefixes: tuple[str, ...]) -> str:
    """The tool's name in lower case without the longest prefix that it begins with."""
    lowered = tool.lower()
    prefix = max((item for item in prefixes if lowered.startswith(item.lower())), key=len, default="")
    return lowered[len(prefix) :]
