"""Which harnesses this machine can run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from omnigent.protocol.host_frames import Readiness
from omnigent.runner.harnesses.rows import HARNESSES, HarnessRow
from omnigent.spec import harnesses


@dataclass(frozen=True, slots=True)
class Finding:
    """How one harness stands here: True, False when no runner has it, or the word of what it lacks.

    `reason` says of one that is not ready what has to be done.
    """

    state: bool | str
    reason: str = ""


Findings = Mapping[str, Finding]
"""By every accepted spelling."""

_UNKNOWN = Finding(state=False, reason="it is not available on this host")


def probe(environ: Mapping[str, str], rows: Mapping[str, HarnessRow] = HARNESSES) -> Findings:
    """How every harness stands under every accepted spelling, with the environment that runners get."""
    names = harnesses.known() | rows.keys()
    return {
        spelling: finding
        for name in sorted(names)
        for finding in [_finding(rows.get(name), environ)]
        for spelling in harnesses.spellings(name)
    }


def _finding(row: HarnessRow | None, environ: Mapping[str, str]) -> Finding:
    if row is None:
        return _UNKNOWN
    lack = row.lack(environ)
    return Finding(state=True) if lack is None else Finding(state=lack.state, reason=lack.advice)


@dataclass(kw_only=True)
class ReadinessBoard:
    """The latest probe. `refresh` blocks on the disk: call it from a thread."""

    source: Callable[[], Findings]
    _found: Findings = field(init=False)

    def __post_init__(self) -> None:
        self._found = self.source()

    @property
    def current(self) -> Readiness:
        """The states, as they are told to the server."""
        return {spelling: finding.state for spelling, finding in self._found.items()}

    @property
    def advice(self) -> Mapping[str, str]:
        """For each harness that a runner has, under its own name: what has to be done, empty when nothing."""
        return {
            name: finding.reason
            for name, finding in self._found.items()
            if finding.state is not False and name == harnesses.canonical(name)
        }

    def refresh(self) -> None:
        """Probe again."""
        self._found = self.source()

    def refusal(self, harness: str | None) -> str | None:
        """Why a harness cannot be launched here, None when it can or when the server did not say which."""
        if harness is None:
            return None
        canonical = harnesses.canonical(harness) or ""
        finding = self._found.get(harness) or self._found.get(canonical) or _UNKNOWN
        return None if finding.state is True else f"harness {harness!r}: {finding.reason}"
