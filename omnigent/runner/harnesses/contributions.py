"""What a package that brings a harness offers under the entry point group `omnigent.harnesses`."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from omnigent.runner.harnesses.rows import HARNESSES, HarnessRow
from omnigent.spec import harnesses
from omnigent.spec.capabilities import Capabilities
from omnigent.spec.contributions import Contribution

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class HarnessContribution:
    """One harness. Its entry point's name is for people; this `name` and the `aliases` are what agents write.

    `row` says where the adapter is and what it needs. `label` is what the picker of a new session shows.
    """

    name: str
    row: HarnessRow
    capabilities: Capabilities
    label: str
    aliases: tuple[str, ...] = ()
    setup_steps: tuple[str, ...] = ()


def rows_with(contributed: Iterable[Contribution]) -> Mapping[str, HarnessRow]:
    """Our harnesses and these; one of a foreign type is logged and left out."""
    rows = dict(HARNESSES)
    for contribution in contributed:
        if isinstance(contribution, HarnessContribution):
            rows[contribution.name] = contribution.row
        else:
            log.error("harness left out", extra={"harness": contribution.name, "reason": "foreign type"})
    return MappingProxyType(rows)


def installed_rows() -> Mapping[str, HarnessRow]:
    """The harnesses that are installed here."""
    return rows_with(harnesses.installed())
