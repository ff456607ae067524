"""The ASGI door in front of every route: host and origin are settled before anything else runs.

Identity is settled here too where it needs no database; elsewhere by whoever answers, in the same hop.
"""

import re
from urllib.parse import parse_qsl

from omnigent.accounts.host_guard import check_host_and_origin
from omnigent.accounts.identity import identify, is_single_user
from omnigent.api.asgi import Application, Receive, Scope, Send, refuse
from omnigent.api.errors import not_found
from omnigent.api.validation import refuse_nul
from omnigent.errors import ErrorCode, OmnigentError

OPEN_PATHS = frozenset({"/health"})
INTERNAL_PREFIX = "/internal/"
OF_FILES = re.compile(r"/v1/(sessions/[^/]+/resources/environments|hosts/[^/]+/filesystem)/")


class Gate:
    """Wraps an application; routes behind it find the caller as `scope["principal"]`.

    It is missing while the caller is still to be identified (`admission`). Open paths go without one: health
    probes, and calls between replicas, which carry a signature of their own that the receiving route
    verifies.
    """

    def __init__(self, app: Application) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket"):
            try:
                check_host_and_origin(scope)
                check_text(scope)
                if is_open(scope["path"], scope["query_string"]):
                    scope["principal"] = None
                elif is_single_user():
                    scope["principal"] = identify(scope["headers"], scope.get("client"))
            except OmnigentError as exc:
                await refuse(scope, receive, send, exc)
                return
        await self.app(scope, receive, send)


def check_text(scope: Scope) -> None:
    """No database can store or compare a NUL: a path with one names nothing, a query with one is invalid.

    The name of a file on some machine is no id, so a NUL in one is a bad request.
    """
    if "\0" in scope["path"]:
        if OF_FILES.match(scope["path"]):
            raise OmnigentError(ErrorCode.INVALID_INPUT, "A path must not contain NUL")
        raise not_found()
    query: bytes = scope["query_string"]
    if b"%00" in query:
        refuse_nul(dict(parse_qsl(query.decode("latin-1"))), where="query")


def is_open(path: str, query: bytes) -> bool:
    """A probe that asks for sessions is for somebody, and goes the way of all others."""
    return (path in OPEN_PATHS and not query) or path.startswith(INTERNAL_PREFIX)
