"""What sub-agents come back with: their parents are told as soon as one rests, and in any case soon after."""

import logging
from typing import TYPE_CHECKING

from django.db import DatabaseError

from sessions_app.services import returning

if TYPE_CHECKING:
    from sessions_app.process import Process

logger = logging.getLogger(__name__)


async def look_after(process: "Process") -> None:
    """Tell every parent what is due."""
    told = await process.pool.run(returning.settle_all)
    if told:
        logger.info("sub_agents_returned", extra={"count": told})


async def settle(process: "Process", session_pk: int) -> None:
    """Tell the parent of this sub-agent if that is due; what the database refuses is tried again later."""
    try:
        await process.pool.run(returning.settle, session_pk)
    except DatabaseError:
        logger.exception("return_not_settled", extra={"session": session_pk})
