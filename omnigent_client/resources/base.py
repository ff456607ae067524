"""What every group of routes starts from."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar

from omnigent_client.decoding import Record
from omnigent_client.pages import Page, read_page, walk
from omnigent_client.transport.http import NOTHING, Call, Transport

RecordT = TypeVar("RecordT", bound=Record)


class Resource:
    """A group of routes of one server."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def _get(self, path: str, params: Mapping[str, Any] = NOTHING) -> Any:  # any JSON value
        return await self._transport.json(Call(method="GET", path=path, params=params))

    async def _write(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        params: Mapping[str, Any] = NOTHING,
    ) -> Any:  # any JSON value
        """Send a body without what is None in it; its `idempotency_key` goes where keys go."""
        members = None if body is None else given(body)
        key = None if members is None else members.pop("idempotency_key", None)
        call = Call(method=method, path=path, params=params, json=members, idempotency_key=key)
        return await self._transport.json(call)

    async def _page(self, cls: type[RecordT], path: str, filters: Mapping[str, Any]) -> Page[RecordT]:
        return read_page(cls, await self._get(path, filters))

    def _walk(self, cls: type[RecordT], path: str, filters: Mapping[str, Any]) -> AsyncIterator[RecordT]:
        async def fetch(after: str | None) -> Page[RecordT]:
            return await self._page(cls, path, {**filters, "after": after})

        return walk(fetch, filters.get("after"))


def given(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members that are not None: what a caller left out is left out of the request."""
    return {name: value for name, value in members.items() if value is not None}
