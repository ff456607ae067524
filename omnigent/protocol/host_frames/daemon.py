"""Frames about the daemon itself: its hello, why it is turned away, and what its machine can run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from omnigent.protocol.frames import Frame
from omnigent.protocol.host_frames.base import Ask, Result

Readiness = Mapping[str, bool | str]
"""Harness name to true, false, "needs-auth" or "binary-missing"."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HostHello(Frame):
    """Host to server, first frame. `configured_harnesses` null means unknown, never "nothing"."""

    kind: ClassVar[str] = "host.hello"

    version: str
    frame_protocol_version: int
    name: str
    runners: tuple[str, ...] = ()
    configured_harnesses: Readiness | None = None
    gateway_inference: Mapping[str, bool] | None = None
    interactive_shells: tuple[str, ...] = ()
    telemetry_opt_out: bool = False
    installation_id: str | None = None
    capabilities: tuple[str, ...] = ()
    connection_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ConnectionError_(Frame):
    """Server to host, before it closes: what was wrong. Not retryable ends the daemon.

    `stage` is hello, protocol, registration, registry or connected.
    """

    kind: ClassVar[str] = "host.connection_error"

    stage: str
    error: str
    retryable: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class RefreshHarnesses(Ask):
    """Probe again which harnesses can run."""

    kind: ClassVar[str] = "host.refresh_harnesses"


@dataclass(frozen=True, kw_only=True, slots=True)
class RefreshHarnessesResult(Result):
    """`ok` or `failed`."""

    kind: ClassVar[str] = "host.refresh_harnesses_result"

    configured_harnesses: Readiness | None = None
    gateway_inference: Mapping[str, bool] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class HarnessReadiness(Frame):
    """Host to server, unasked: readiness changed."""

    kind: ClassVar[str] = "host.harness_readiness"

    configured_harnesses: Readiness | None = None
    gateway_inference: Mapping[str, bool] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelOptions(Ask):
    """Which models does this harness offer?"""

    kind: ClassVar[str] = "host.model_options"

    harness: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelOptionsResult(Result):
    """`ok` or `failed`; the lists are handed through."""

    kind: ClassVar[str] = "host.model_options_result"

    models: tuple[Any, ...] = ()
    routable_models: tuple[Any, ...] = ()
