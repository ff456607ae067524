"""Server-wide policies, session policies, and the catalogue of handlers."""

from collections.abc import Mapping
from typing import Any, Literal, Unpack

from omnigent_client.decoding import read
from omnigent_client.pages import read_page
from omnigent_client.records.agents import Policy, PolicyHandler
from omnigent_client.records.sessions import Deleted
from omnigent_client.resources.base import Resource
from omnigent_client.resources.fields import PolicyChanges
from omnigent_client.transport.http import Transport, path_of

HandlerType = Literal["python", "url"]


class SessionPolicies(Resource):
    """/v1/sessions/{id}/policies: what applies to one session."""

    async def list(self, session_id: str) -> tuple[Policy, ...]:
        """The session's policies, and those that apply to it from elsewhere; `source` says which."""
        return read_page(Policy, await self._get(path_of("sessions", session_id, "policies"))).data

    async def create(
        self,
        session_id: str,
        *,
        name: str,
        handler: str,
        type: HandlerType = "python",
        factory_params: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Policy:
        """Attach a policy; it applies from the next evaluation on."""
        body = {
            "name": name,
            "type": type,
            "handler": handler,
            "factory_params": factory_params,
            "idempotency_key": idempotency_key,
        }
        return read(Policy, await self._write("POST", path_of("sessions", session_id, "policies"), body))

    async def get(self, session_id: str, policy_id: str) -> Policy:
        """One of them."""
        return read(Policy, await self._get(path_of("sessions", session_id, "policies", policy_id)))

    async def update(self, session_id: str, policy_id: str, **changes: Unpack[PolicyChanges]) -> Policy:
        """Change some of its fields."""
        path = path_of("sessions", session_id, "policies", policy_id)
        return read(Policy, await self._write("PATCH", path, changes))

    async def delete(self, session_id: str, policy_id: str) -> Deleted:
        """Remove it; removing it twice is no error."""
        path = path_of("sessions", session_id, "policies", policy_id)
        return read(Deleted, await self._write("DELETE", path) or {"deleted": False})


class Policies(Resource):
    """/v1/policies: what applies to every session. Changing it needs an administrator."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self.sessions = SessionPolicies(transport)

    async def list(self) -> tuple[Policy, ...]:
        """All of them, in the order in which they are asked."""
        return read_page(Policy, await self._get("/v1/policies")).data

    async def create(
        self,
        *,
        name: str,
        handler: str,
        type: HandlerType = "python",
        factory_params: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Policy:
        """A new one; names are unique."""
        body = {
            "name": name,
            "type": type,
            "handler": handler,
            "factory_params": factory_params,
            "idempotency_key": idempotency_key,
        }
        return read(Policy, await self._write("POST", "/v1/policies", body))

    async def get(self, policy_id: str) -> Policy:
        """One of them."""
        return read(Policy, await self._get(path_of("policies", policy_id)))

    async def update(self, policy_id: str, **changes: Unpack[PolicyChanges]) -> Policy:
        """Change some of its fields; its type stays."""
        return read(Policy, await self._write("PATCH", path_of("policies", policy_id), changes))

    async def delete(self, policy_id: str) -> Deleted:
        """Remove it; `deleted` is False when it was gone already."""
        return read(
            Deleted, await self._write("DELETE", path_of("policies", policy_id)) or {"deleted": False}
        )

    async def registry(self) -> tuple[PolicyHandler, ...]:
        """The handlers that a policy can name."""
        return read_page(PolicyHandler, await self._get("/v1/policy-registry")).data
