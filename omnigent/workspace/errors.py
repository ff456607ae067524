"""Why an operation on a workspace was not done, in the words of the API."""

import errno
from typing import Final

from omnigent.workspace.names import text_of

_CONFLICTS: Final = {
    errno.EEXIST: "exists already",
    errno.ENOTEMPTY: "is not empty",
    errno.EISDIR: "is a directory",
    errno.EBUSY: "is in use",
    errno.ENOSPC: "does not fit on the disk",
    errno.EDQUOT: "does not fit in the disk quota",
    errno.EFBIG: "is too large for the disk",
    # A link where there was none a moment ago.
    errno.ELOOP: "changed while it was used",
}
_READ_ONLY: Final = "; the agent's sandbox lets its tools write to its write_paths only"


class Refused(Exception):
    """An error answer: the HTTP status, the code and the message of the API's envelope.

    `has_detail` marks the few that the released product answers with a `detail`.
    """

    def __init__(self, status: int, code: str, message: str, *, has_detail: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = text_of(message)
        self.has_detail = has_detail


def invalid(message: str) -> Refused:
    """What was asked for makes no sense."""
    return Refused(400, "invalid_input", message)


def missing(shown: str) -> Refused:
    """There is nothing at this path."""
    return Refused(404, "not_found", f"Path '{shown}' not found")


def conflict(message: str) -> Refused:
    """It cannot be done to what is there now."""
    return Refused(409, "conflict", message)


def refused(error: OSError, shown: str) -> Refused:
    """The answer for what the system said about this path."""
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return missing(shown)
    if error.errno in {errno.EACCES, errno.EPERM}:
        return Refused(403, "forbidden", f"Path '{shown}': permission denied")
    if error.errno == errno.EROFS:
        return Refused(403, "forbidden", f"Path '{shown}' is read-only{_READ_ONLY}")
    if error.errno in {errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ}:
        return invalid(f"Path '{shown}': {error.strerror}")
    if error.errno in _CONFLICTS:
        return conflict(f"Path '{shown}' {_CONFLICTS[error.errno]}")
    return Refused(500, "internal_error", f"Path '{shown}': {error.strerror or type(error).__name__}")
