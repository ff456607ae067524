"""Several writers at once: the log stays one chain, and no change goes unheard."""

import asyncio

from omnigent.accounts.principal import Principal
from omnigent.api.pool import DatabasePool
from policies_app.models import Decision
from policies_app.services import kill_switches
from policies_app.services.revisions import current_revision
from policies_app.services.verification import verify
from tests.policies_rest.log import append, new

ADA = Principal(user_id="ada", is_admin=True)


async def test_batches_at_once_make_one_chain(pool: DatabasePool) -> None:
    await asyncio.gather(*(pool.run(append, new(), new(reason=str(number))) for number in range(20)))

    seqs = await pool.run(lambda: list(Decision.objects.order_by("seq").values_list("seq", flat=True)))
    assert seqs == list(range(1, 41))
    assert await pool.run(verify) is None


async def test_every_change_at_once_raises_the_revision(pool: DatabasePool) -> None:
    await asyncio.gather(
        *(
            pool.run(
                lambda target=target: kill_switches.throw_switch(principal=ADA, kind="agent", target=target)
            )
            for target in "abcdefgh"
        )
    )

    assert await pool.run(current_revision) == 8
