"""Scenarios that an engine cannot do are left out by the reason it states, and counted as such."""

import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what a subject `lacks`; the table in docs/agents.md says why."""
    lacking = [item for item in items if _is_lacking(item)]
    if lacking:
        config.hook.pytest_deselected(items=lacking)
        items[:] = [item for item in items if item not in set(lacking)]


def _is_lacking(item: pytest.Item) -> bool:
    subject = getattr(getattr(item, "cls", None), "subject", None)
    name = getattr(item, "originalname", "").removeprefix("test_")
    return subject is not None and name in subject.lacks
