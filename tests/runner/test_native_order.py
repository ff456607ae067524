"""The order in which the records of a program's transcript are taken."""

from collections.abc import Iterable
from typing import Any

from omnigent.runner.native.order import PATIENCE_SECONDS, Order, Record
from omnigent.runner.native.program import Link


def record(own: str, follows: str = "") -> Record:
    return {"own": own, "follows": follows}


def names(records: Iterable[Record]) -> str:
    return "".join(each["own"] or "-" for each in records)


class Clocked:
    """An order whose clock stands still until it is told."""

    def __init__(self) -> None:
        self.now = 0.0
        self.order = Order(self._link, clock=lambda: self.now)

    @staticmethod
    def _link(record: dict[str, Any]) -> Link:
        return Link(own=record["own"], follows=record["follows"])

    def put(self, *records: Record) -> str:
        return names(each for record in records for each in self.order.put(record))


def test_records_in_order_do_not_wait() -> None:
    clocked = Clocked()

    assert clocked.put(record("a")) == "a"
    assert clocked.put(record("b", "a"), record("c", "b")) == "bc"
    assert not clocked.order.holds_some


def test_an_answer_waits_for_its_prompt_and_the_end_for_the_answer() -> None:
    clocked = Clocked()

    assert clocked.put(record("answer", "prompt"), record("end", "answer")) == ""
    assert clocked.order.holds_some
    assert clocked.put(record("prompt")) == "promptanswerend"
    assert not clocked.order.holds_some


def test_records_without_an_id_are_given_at_once() -> None:
    clocked = Clocked()
    clocked.put(record("b", "a"))

    assert clocked.put(record("")) == "-"
    assert clocked.order.holds_some


def test_two_that_follow_one_stay_in_the_order_of_the_file() -> None:
    clocked = Clocked()
    clocked.put(record("b", "a"), record("c", "a"), record("d", "b"))

    assert clocked.put(record("a")) == "abcd"


def test_what_a_predecessor_read_is_known() -> None:
    clocked = Clocked()
    clocked.order.know(record("a"))

    assert clocked.put(record("b", "a")) == "b"


def test_a_record_that_never_comes_is_waited_for_only_so_long() -> None:
    clocked = Clocked()
    clocked.put(record("b", "lost"), record("c", "b"))
    clocked.now = PATIENCE_SECONDS / 2

    assert names(clocked.order.overdue()) == ""
    clocked.put(record("e", "gone"))
    clocked.now = PATIENCE_SECONDS
    assert names(clocked.order.overdue()) == "bc"
    assert clocked.order.holds_some
    assert names(clocked.order.rest()) == "e"
    assert not clocked.order.holds_some
