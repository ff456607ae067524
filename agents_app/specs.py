"""What this process knows of stored bundles: parsed agents by digest, and which bundles lie there whole."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from django.apps import apps

from agents_app.storage import read_bundle, stored_bytes
from omnigent.spec import AgentSpec, bundle

V = TypeVar("V")

KEPT_SPECS, KEPT_SIZES = 256, 4096
TRUSTED_SECONDS = 60.0


class Recent(Generic[V]):
    """The values last used, by digest; safe from any thread."""

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._values: OrderedDict[str, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, digest: str) -> V | None:
        with self._lock:
            if digest in self._values:
                self._values.move_to_end(digest)
            return self._values.get(digest)

    def put(self, digest: str, value: V) -> None:
        with self._lock:
            self._values[digest] = value
            self._values.move_to_end(digest)
            while len(self._values) > self._kept:
                self._values.popitem(last=False)


class Specs:
    """Content never changes under its digest, so what was parsed once is right for good.

    That a bundle is in the store is believed for TRUSTED_SECONDS; that it is not is asked again each time.
    """

    def __init__(self, *, kept: int = KEPT_SPECS, clock: Callable[[], float] = time.monotonic) -> None:
        self._specs: Recent[AgentSpec] = Recent(kept)
        self._sizes: Recent[tuple[int, float]] = Recent(KEPT_SIZES)
        self._clock = clock

    def spec(self, digest: str) -> AgentSpec:
        """The agent with this content. Raises MissingBundleError, InvalidAgentError."""
        known = self._specs.get(digest)
        if known is None:
            known = bundle.read(read_bundle(digest))
            self._specs.put(digest, known)
        return known

    def is_whole(self, digest: str, expected_bytes: int) -> bool:
        """Whether the bundle lies in the store in its full size (any, when `expected_bytes` is 0)."""
        known = self._sizes.get(digest)
        now = self._clock()
        if known is None or known[1] <= now:
            found = stored_bytes(digest)
            if found is None:
                return False
            known = (found, now + TRUSTED_SECONDS)
            self._sizes.put(digest, known)
        return expected_bytes in (0, known[0])


def specs_here() -> Specs:
    """Those of this process."""
    found: Specs = apps.get_app_config("agents_app").specs  # type: ignore[attr-defined]  # AgentsConfig
    return found
