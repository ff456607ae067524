"""People with accounts, as the tests of approvals send them: headers with a token of theirs."""

from collections.abc import Mapping

from omnigent.accounts.models import User
from omnigent.accounts.principal import Scope
from omnigent.accounts.services import tokens
from sessions_app.models import Grant, Session
from tests.policing.policed import Policed


async def person(rig: Policed, name: str) -> Mapping[str, str]:
    """Headers of somebody with an account."""

    def made() -> str:
        user = User.objects.create_user(username=name)
        return tokens.issue(user=user, name="t", scopes=[Scope.READ, Scope.WRITE], lifetime=None).secret

    return {"Authorization": f"Bearer {await rig.run(made)}"}


async def granted(rig: Policed, session_id: str, name: str, level: int, **fields: bool) -> Mapping[str, str]:
    """Headers of somebody to whom the owner has granted a level."""

    def grant() -> None:
        session = Session.objects.get(public_id=session_id)
        Grant.objects.create(session=session, user_id=name, level=level, **fields)

    await rig.run(grant)
    return await person(rig, name)
