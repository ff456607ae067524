"""Every row of the table of failures names tests, and they exist."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ROW = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")
LEAST = 20


def test_the_table_of_failures_names_tests_that_exist() -> None:
    document = (ROOT / "docs" / "architecture.md").read_text()
    named = ROW.findall(document)

    missing = [(path, name) for path, name in named if f"def {name}(" not in (ROOT / path).read_text()]

    assert missing == []
    assert len(named) >= LEAST


def test_every_test_of_a_failure_is_in_the_table() -> None:
    document = (ROOT / "docs" / "architecture.md").read_text()
    here = Path(__file__).parent
    written = {
        name
        for path in here.glob("test_*.py")
        if path != Path(__file__)
        for name in re.findall(r"def (test_\w+)\(", path.read_text())
    }

    assert written <= {name for _, name in ROW.findall(document)}
