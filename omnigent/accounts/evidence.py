"""What a request or a handshake shows of its caller, read from its headers and nothing else."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from django.http import parse_cookie

from omnigent.ids import runner_id_for

RUNNER_TOKEN_HEADER = b"x-omnigent-runner-tunnel-token"
MAX_QUERY_FIELDS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """Header names are in lower case. `query` is given for sockets only: browsers send them no headers."""

    headers: tuple[tuple[bytes, bytes], ...] = field(repr=False)
    peer: str | None
    query: bytes = field(default=b"", repr=False)

    def values(self, name: bytes) -> list[bytes]:
        """Every value of a header."""
        return [value for key, value in self.headers if key == name]

    @property
    def runner_id(self) -> str | None:
        """The runner whose binding token is shown."""
        for value in self.values(RUNNER_TOKEN_HEADER):
            return runner_id_for(value.decode("latin-1")) if value else None
        return None

    @property
    def bearer(self) -> str | None:
        """The bearer credential; empty when there is an `Authorization` that holds none, or several."""
        found = self.values(b"authorization")
        if found:
            scheme, _, credential = found[0].decode("latin-1").strip().partition(" ")
            return credential.strip() if scheme.lower() == "bearer" and len(found) == 1 else ""
        try:
            fields = dict(parse_qsl(self.query.decode("latin-1"), max_num_fields=MAX_QUERY_FIELDS))
        except ValueError:
            return ""
        return fields.get("token")

    def cookie(self, name: str) -> str | None:
        """A cookie's value; None when it is missing, empty or sent twice."""
        found = [value.decode("latin-1") for value in self.values(b"cookie")]
        pairs = [part.partition("=")[0].strip() for text in found for part in text.split(";")]
        if pairs.count(name) != 1:
            return None
        return parse_cookie("; ".join(found)).get(name) or None


def evidence_of(
    headers: Iterable[tuple[bytes, bytes]], client: Sequence[Any] | None, query: bytes = b""
) -> Evidence:
    """From the parts of an ASGI scope."""
    return Evidence(headers=tuple(headers), peer=client[0] if client else None, query=query)
