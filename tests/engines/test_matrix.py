"""The tables of harnesses in docs/agents.md are those that the code gives."""

import pytest

from scripts import harness_matrix
from scripts.harness_matrix import BEGIN, DOCUMENT, END, Engine

pytestmark = pytest.mark.engines


def test_the_tables_are_up_to_date() -> None:
    document = DOCUMENT.read_text()

    assert document == harness_matrix.written(document), "run: make matrix"


def test_the_document_has_one_place_for_them() -> None:
    document = DOCUMENT.read_text()

    assert (document.count(BEGIN), document.count(END)) == (1, 1)


def test_what_an_engine_lacks_is_told_with_the_reason() -> None:
    able = Engine(name="able", lacks={})
    unable = Engine(name="unable", lacks={"text_is_streamed": "it writes letters"})

    table = harness_matrix.scenario_table([able, unable])

    assert "| text is streamed | yes | no (1) |\n" in table
    assert "\n1. it writes letters\n" in table
