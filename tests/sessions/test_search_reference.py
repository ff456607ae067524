"""Search against a naive reference: every substring of every text, whatever the characters."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents_app.models import Agent
from omnigent.protocol import items
from sessions_app.models import Session
from sessions_app.services.sessions import delete_session
from tests.factories import add_item, make_agent, make_session

# Letters that change their number or their bytes when they are folded, wildcards, quotes, other scripts.
LETTERS = "aAbBßẞİ\u0131\u017fΣς\u03c3Éé\u0301\ufb01%_\\\"'*()- \n\t日本語🎉"
TEXTS = st.text(alphabet=LETTERS, max_size=12)

Corpus = Sequence[tuple[str, Sequence[str]]]
"""Sessions: a title, and what was said."""


@st.composite
def searches(draw: Any) -> tuple[Corpus, str]:
    """Some sessions, and something to look for: a part of one of their texts in any case, or anything."""
    corpus = draw(st.lists(st.tuples(TEXTS, st.lists(TEXTS, max_size=4)), min_size=1, max_size=5))
    text = draw(st.sampled_from([text for title, said in corpus for text in (title, *said)]))
    start = draw(st.integers(0, len(text)))
    part = text[start : draw(st.integers(start, len(text)))]
    change = draw(st.sampled_from([str, str.upper, str.lower, str.swapcase, str.casefold]))
    return corpus, draw(st.one_of(st.just(change(part)), TEXTS))


def matches(title: str, said: Sequence[str], needle: str) -> bool:
    """The reference."""
    return any(needle.casefold() in text.casefold() for text in (title, *said))


@pytest.fixture
def agent(db: None) -> Agent:
    """One agent for all sessions."""
    return make_agent()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(searches())
def test_search_finds_what_a_naive_one_finds(
    reader: Client, agent: Agent, search: tuple[Corpus, str]
) -> None:
    corpus, needle = search
    for pk in Session.objects.values_list("pk", flat=True):
        delete_session(session_pk=pk)
    expected = []
    for title, said in corpus:
        session = make_session(agent, title=title)
        for text in said:
            add_item(session, items.FunctionCallOutput(call_id="c", output=text))
        if matches(title, said, needle):
            expected.append(session.public_id)

    answer = reader.get("/v1/sessions", {"search_query": needle}).json()

    assert "search_partial" not in answer
    assert [row["id"] for row in answer["data"]] == expected[::-1]
    for row in answer["data"]:
        assert row.get("search_snippet") != ""
