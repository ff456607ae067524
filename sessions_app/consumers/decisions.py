"""`GET /v1/policy-decisions`: a page of the decision log, or an export that is as long as the log."""

from collections.abc import Sequence
from datetime import UTC, datetime

from omnigent.api.asgi import header_values
from omnigent.api.validation import parse_query
from policies_app.services import decision_pages
from policies_app.services.decision_pages import DecisionQuery
from sessions_app.consumers.sessions import SessionWriter

NDJSON = "application/x-ndjson"


class DecisionsConsumer(SessionWriter):
    """GET /v1/policy-decisions"""

    async def handle(self) -> None:
        decision_pages.require_reader(self.principal)
        asked = parse_query(DecisionQuery, self.scope["query_string"])
        await self.body()
        if asked.format == "ndjson" or (asked.format is None and wants_lines(self.scope_accepts)):
            await self._export(asked)
        else:
            body = await self.process.pool.run(decision_pages.page_of, asked)
            await self.json(200, body, [(b"cache-control", b"no-store")])

    @property
    def scope_accepts(self) -> Sequence[bytes]:
        """The request's Accept headers."""
        return header_values(self.scope, b"accept")

    async def _export(self, asked: DecisionQuery) -> None:
        after, last = await self.process.pool.run(decision_pages.export_range, asked)
        name = f"omnigent-decisions-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.ndjson"
        headers = [
            (b"content-type", NDJSON.encode()),
            (b"content-disposition", f'attachment; filename="{name}"'.encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        await self.start(200, headers)
        await self.unless_disconnected(self._send(asked, after, last))

    async def _send(self, asked: DecisionQuery, after: int | None, last: int) -> None:
        while after is not None:
            piece = await self.process.pool.run(decision_pages.export_piece, asked, after=after, last=last)
            if piece.text:
                await self.write(piece.text)
            after = piece.after
        await self.finish()


def wants_lines(accepted: Sequence[bytes]) -> bool:
    """Whether an Accept header names lines of JSON."""
    kinds = b",".join(accepted).decode("latin-1").lower().split(",")
    return NDJSON in {kind.partition(";")[0].strip() for kind in kinds}
