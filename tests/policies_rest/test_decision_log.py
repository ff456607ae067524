"""The decision log: chained, sealed, verified by a command, pruned from its beginning."""

import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from policies_app.models import Decision, DecisionHead
from policies_app.services import decisions
from tests.policies_rest.log import START, append, fill, new
from tests.statements import CONTROL

pytestmark = pytest.mark.django_db


def verified() -> str:
    """What `manage.py verify_decisions` says."""
    out = io.StringIO()
    call_command("verify_decisions", stdout=out)
    return out.getvalue().strip()


def fault() -> str:
    """The fault that it names."""
    with pytest.raises(CommandError) as raised:
        verified()
    return str(raised.value)


def row(seq: int) -> Any:
    return Decision.objects.filter(seq=seq)


def test_empty_log_verifies() -> None:
    assert verified() == "0 decisions, each as it was written"


def test_rows_are_numbered_without_a_gap_across_batches() -> None:
    fill(3)
    append(new())
    fill(2)

    assert list(Decision.objects.order_by("seq").values_list("seq", flat=True)) == [1, 2, 3, 4, 5, 6]
    assert verified() == "6 decisions, each as it was written"


def test_more_rows_than_a_statement_holds_make_one_chain() -> None:
    fill(850)

    assert verified() == "850 decisions, each as it was written"


@pytest.mark.parametrize("count", [1, 50])
def test_a_batch_takes_three_statements(count: int) -> None:
    fill(1)

    with CaptureQueriesContext(connection) as captured:
        fill(count)

    counted = [query["sql"] for query in captured if not query["sql"].startswith(CONTROL)]
    assert len(counted) == 3, counted


def test_rolled_back_batch_leaves_nothing() -> None:
    fill(1)
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        decisions.append([new()])
        raise ZeroDivisionError
    fill(1)

    assert verified() == "2 decisions, each as it was written"


EDITS: dict[str, Any] = {
    "verdict": "deny",
    "reason": "another",
    "actor": "mallory",
    "created_at": START,
    "session_id": "conv_x",
    "policy_version": 7,
    "steps": [],
    "shadow": [{}],
    "input": {"type": "request"},
    "input_digest": "0" * 64,
    "latency_us": 1,
    "level": "guard",
    "target": "Read",
    "decision_id": "dec_other",
    "elicitation_id": "elicit_x",
    "hash": "f" * 64,
    "prev_hash": "f" * 64,
}


@pytest.mark.parametrize("column", EDITS)
def test_edited_row_is_found(column: str) -> None:
    fill(5)

    row(3).update(**{column: EDITS[column]})

    assert fault() == "row 3 was edited: its hash does not fit"


def delete_middle() -> None:
    Decision.objects.filter(seq__in=(3, 4)).delete()


def cut_tail() -> None:
    Decision.objects.filter(seq__gt=4).delete()


def cut_beginning() -> None:
    Decision.objects.filter(seq__lt=3).delete()


def cut_tail_and_head() -> None:
    Decision.objects.filter(seq__gt=4).delete()
    kept = Decision.objects.get(seq=4)
    DecisionHead.objects.update(seq=4, hash=kept.hash)


def cut_beginning_and_floor() -> None:
    kept = Decision.objects.get(seq=2)
    Decision.objects.filter(seq__lt=3).delete()
    DecisionHead.objects.update(floor_seq=2, floor_hash=kept.hash)


def delete_everything() -> None:
    Decision.objects.all().delete()


def delete_head() -> None:
    DecisionHead.objects.all().delete()


def put_in_after_the_end() -> None:
    one = Decision.objects.get(seq=6)
    Decision.objects.create(**{**values(one), "seq": 7, "decision_id": "dec_7"})


def swap_two() -> None:
    row(2).update(seq=99)
    row(3).update(seq=2)
    row(99).update(seq=3)


def values(decision: Decision) -> dict[str, Any]:
    return {field.attname: getattr(decision, field.attname) for field in Decision._meta.concrete_fields}


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (delete_middle, "rows 3 to 4 are missing"),
        (cut_tail, "the end of the log is cut off: it stops at row 4, and 6 were written"),
        (cut_beginning, "the beginning of the log is cut off: rows 1 to 2 are missing"),
        (cut_tail_and_head, "the seal does not fit"),
        (cut_beginning_and_floor, "the seal does not fit"),
        (delete_everything, "the end of the log is cut off: it stops at row 0, and 6 were written"),
        (delete_head, "the head of the log is missing"),
        (put_in_after_the_end, "row 7 was put in: the head of the log does not know of it"),
        (swap_two, "row 2 was edited: its hash does not fit"),
    ],
)
def test_damage_is_named(damage: Callable[[], None], words: str) -> None:
    fill(6)
    assert verified()

    damage()

    assert fault().startswith(words)


@pytest.mark.parametrize("damage", [cut_tail_and_head, cut_beginning_and_floor, delete_head])
def test_forged_head_stays_visible_when_the_log_goes_on(damage: Callable[[], None]) -> None:
    fill(6)
    damage()

    fill(2)

    assert "seal does not fit" in fault()


def test_log_sealed_under_a_former_key_verifies_and_goes_on(settings: Settings) -> None:
    fill(2)
    settings.SECRET_KEY, former = (
        "another key for tests only, long enough for every check",
        settings.SECRET_KEY,
    )
    assert "seal does not fit" in fault()

    settings.SECRET_KEY_FALLBACKS = [former]
    fill(1)
    settings.SECRET_KEY_FALLBACKS = []

    assert verified() == "3 decisions, each as it was written"


def test_pruning_moves_the_beginning_and_the_chain_still_verifies() -> None:
    fill(10)

    assert decisions.prune(START + timedelta(seconds=5)) == 4

    assert verified() == "6 decisions, each as it was written"
    assert decisions.prune(START + timedelta(seconds=5)) == 0
    fill(1)
    assert verified() == "7 decisions, each as it was written"


def test_everything_can_be_pruned_and_numbers_go_on() -> None:
    fill(3)

    assert decisions.prune(START + timedelta(days=1)) == 3
    fill(1)

    assert list(Decision.objects.values_list("seq", flat=True)) == [4]
    assert verified() == "1 decisions, each as it was written"


def test_young_row_keeps_what_comes_after_it() -> None:
    """A clock that was set back must not tear a hole."""
    append(new(created_at=START + timedelta(days=2)), new(created_at=START))

    assert decisions.prune(START + timedelta(days=1)) == 0
    assert verified() == "2 decisions, each as it was written"


def test_broken_log_is_not_pruned() -> None:
    fill(3)
    DecisionHead.objects.update(seq=F("seq") - 1)

    assert decisions.prune(START + timedelta(days=1)) == 0
    assert Decision.objects.count() == 3


def test_command_forgets_what_is_past_the_retention(settings: Settings) -> None:
    settings.OMNIGENT_DECISION_RETENTION_SECONDS = 3600.0
    fill(3)
    append(new())
    out = io.StringIO()

    call_command("prune_decisions", stdout=out)

    assert out.getvalue() == "3 decisions removed\n"


def test_text_that_no_column_holds_is_cut_and_cleaned() -> None:
    append(new(target="x" * 300, reason="a\0b\ud800" + "c" * 5000, actor="é" * 200))

    stored = Decision.objects.get()
    assert (len(stored.target), len(stored.reason), len(stored.actor)) == (256, 4096, 150)
    assert stored.reason.startswith("ab?c")
    assert verified()
