"""Scenarios that an engine cannot do are left out by the reason it states, and counted as such."""

import pytest

from tests.engines.rig import Subject


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what a subject `lacks`; the table in docs/agents.md says why."""
    lacking = [item for item in items if _is_lacking(item)]
    if lacking:
        config.hook.pytest_deselected(items=lacking)
        items[:] = [item for item in items if item not in set(lacking)]


def _is_lacking(item: pytest.Item) -> bool:
    # Tests of other directories come by here too, and their subjects are of another kind.
    subject = getattr(getattr(item, "cls", None), "subject", None)
    name = getattr(item, "originalname", "").removeprefix("test_")
    return isinstance(subject, Subject) and name in subject.lacks
