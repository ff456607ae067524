"""The query parameters of the registry."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from omnigent.api.pagination import Page, PageQuery
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import AGENT

OWN_LIMIT = 50


class AgentQuery(PageQuery):
    """A page of the operator's agents, or with `scope=user` of the caller's own ones."""

    scope: Literal["server", "user"] = "server"

    def wanted(self) -> Page:
        """The page. The caller's own agents come newest first, at most OWN_LIMIT at once, by `after` only."""
        page = self.page(AGENT)
        if self.scope == "server":
            return page
        if page.before is not None or not page.descending:
            raise OmnigentError(ErrorCode.INVALID_INPUT, "scope=user takes neither before nor order=asc")
        return Page(limit=min(page.limit, OWN_LIMIT), after=page.after)


class DeleteAgent(BaseModel):
    """Whether to delete an agent although sessions are bound to it."""

    model_config = ConfigDict(extra="ignore")

    force: bool = False
