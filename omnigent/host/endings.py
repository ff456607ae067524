"""Why a daemon ended, for the person who has to do something about it."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from omnigent.host.config import HostConfig
from omnigent.link import LinkEnd
from omnigent.protocol.closing import CloseCode

Words = Callable[[HostConfig, str], str]


def _bad_id(config: HostConfig, said: str) -> str:
    return f"{config.server_url} does not accept the host id {config.host_id}{_because(said)}"


def _not_let_in(config: HostConfig, said: str) -> str:
    remedy = "it was refused with the token it has" if config.token else "it has no token"
    return (
        f"{config.server_url} does not let this host in: {remedy}{_because(said)}. "
        "Set OMNIGENT_TOKEN, or token_file, to a personal access token with the scope host"
    )


def _login_page(config: HostConfig, said: str) -> str:
    return (
        f"{config.server_url} sends this host to a login page: let requests with a bearer token and those to "
        "/v1/hosts pass the proxy in front of it"
    )


def _no_server(config: HostConfig, said: str) -> str:
    return f"there is no Omnigent server at {config.server_url} (HTTP 404); look at --server"


def _taken(config: HostConfig, said: str) -> str:
    return (
        f"the host id {config.host_id} belongs to another user of {config.server_url}{_because(said)}. "
        "Use that user's token, or another --data-dir, which gets an id of its own"
    )


def _incompatible(config: HostConfig, said: str) -> str:
    return f"{config.server_url} does not understand this host{_because(said)}; upgrade the older of the two"


_BY_STATUS: Mapping[int, Words] = {
    400: _bad_id,
    401: _not_let_in,
    403: _not_let_in,
    404: _no_server,
    409: _taken,
    **dict.fromkeys((300, 301, 302, 303, 307, 308), _login_page),
}
_BY_CODE: Mapping[int, Words] = {
    CloseCode.NOT_HELLO: _incompatible,
    CloseCode.UNSUPPORTED_VERSION: _incompatible,
    CloseCode.HOST_OWNED_BY_ANOTHER: _taken,
}


def words_for(end: LinkEnd, config: HostConfig) -> str:
    """One sentence or two."""
    words = _BY_STATUS.get(end.status or 0) or _BY_CODE.get(end.code or 0)
    if words is not None:
        return words(config, _message(end.said))
    return f"{config.server_url} cannot be used: {end.reason}"


def _because(said: str) -> str:
    return f" ({said})" if said else ""


def _message(said: str) -> str:
    """The message of an error's JSON, else the text itself."""
    try:
        body: Any = json.loads(said)  # whatever stands there
    except ValueError:
        return said
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return message if isinstance(message, str) else ""
