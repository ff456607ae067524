"""The harnesses that people may choose: ours, and those of other packages."""

from collections.abc import Mapping
from types import MappingProxyType

from omnigent.spec import harnesses
from omnigent.spec.capabilities import HARNESSES, HarnessInfo


def catalogue() -> Mapping[str, HarnessInfo]:
    """By canonical name."""
    brought = {
        each.name: HarnessInfo(
            id=each.name,
            label=each.label,
            capabilities=each.capabilities,
            setup_steps=each.setup_steps,
        )
        for each in harnesses.installed()
    }
    return MappingProxyType({**HARNESSES, **brought})
