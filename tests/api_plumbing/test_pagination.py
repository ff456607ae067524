"""Keyset paging: complete, ordered, and exact about cursors. The listed rows are users with ties."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from omnigent.accounts.models import User
from omnigent.api.pagination import Keyset, Page, PageQuery, cut, envelope
from omnigent.errors import OmnigentError

KEYSET = Keyset(id_column="username", columns=("first_name", "id"))
Reader = Callable[[Page], list[str]]


def conv(number: int) -> str:
    return f"conv_{number:032x}"


@pytest.fixture
def rows(db: None) -> list[str]:
    """Eleven ids in ascending order, in groups that share their sort value."""
    User.objects.bulk_create(User(username=conv(n), first_name=f"t{n // 4}") for n in range(11))
    return [conv(n) for n in range(11)]


def read_by_queryset(page: Page) -> list[str]:
    scope = User.objects.all()
    found = KEYSET.apply(scope, page, KEYSET.positions(scope, page))
    return list(found.values_list("username", flat=True))


def read_by_sql(page: Page) -> list[str]:
    table = User._meta.db_table
    positions = KEYSET.positions_in(table, page)
    condition, params = KEYSET.condition(page, positions, alias="u")
    order = KEYSET.order_by(page, alias="u")
    with connection.cursor() as db:
        db.execute(
            f"SELECT u.username FROM {table} u WHERE {condition} ORDER BY {order} LIMIT {page.limit + 1}",
            params,
        )
        return [row[0] for row in db.fetchall()]


@pytest.fixture(params=[read_by_queryset, read_by_sql], ids=["queryset", "sql"])
def read(request: Any) -> Reader:
    reader: Reader = request.param
    return reader


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 10, 11, 12])
@pytest.mark.parametrize("descending", [True, False])
def test_walking_visits_every_row_once_in_order(
    rows: list[str], read: Reader, limit: int, descending: bool
) -> None:
    seen: list[str] = []
    after = None
    while True:
        page = Page(limit=limit, after=after, descending=descending)
        got, has_more = cut(read(page), page)
        seen += got
        if not has_more:
            break
        after = got[-1]

    assert seen == (rows[::-1] if descending else rows)


def test_before_starts_at_the_head_of_the_list(rows: list[str], read: Reader) -> None:
    page = Page(limit=3, before=rows[8], descending=False)

    assert cut(read(page), page) == (rows[:3], True)


def test_after_and_before_meet(rows: list[str], read: Reader) -> None:
    assert read(Page(limit=20, after=rows[2], before=rows[6], descending=False)) == rows[3:6]
    assert read(Page(limit=20, after=rows[6], before=rows[2], descending=True)) == rows[5:2:-1]


def test_the_same_cursor_on_both_sides_is_an_empty_page(rows: list[str], read: Reader) -> None:
    assert read(Page(limit=5, after=rows[4], before=rows[4])) == []


def test_the_last_row_as_cursor_is_an_empty_page(rows: list[str], read: Reader) -> None:
    assert read(Page(limit=5, after=rows[-1], descending=False)) == []


def test_a_row_inserted_during_the_walk_does_not_shift_it(rows: list[str], read: Reader) -> None:
    first = read(Page(limit=3, descending=True))[:3]
    User.objects.create(username=conv(99), first_name="t9")

    rest = read(Page(limit=20, after=first[-1], descending=True))

    assert first + rest == rows[::-1]


def test_an_unknown_cursor_is_stale_and_names_itself(rows: list[str], read: Reader) -> None:
    unknown = conv(77)
    with pytest.raises(OmnigentError) as caught:
        read(Page(limit=5, after=unknown))

    assert caught.value.status == 400
    assert caught.value.code == "stale_cursor"
    assert caught.value.message == (
        f"pagination cursor '{unknown}' no longer exists; restart the enumeration without it"
    )


def test_a_deleted_cursor_is_stale(rows: list[str], read: Reader) -> None:
    User.objects.filter(username=rows[3]).delete()

    with pytest.raises(OmnigentError, match="no longer exists"):
        read(Page(limit=5, before=rows[3]))


def test_a_cursor_outside_the_scope_is_stale(rows: list[str]) -> None:
    page = Page(limit=5, after=rows[0])

    with pytest.raises(OmnigentError, match="no longer exists"):
        KEYSET.positions(User.objects.filter(first_name="t2"), page)
    with pytest.raises(OmnigentError, match="no longer exists"):
        KEYSET.positions_in(User._meta.db_table, page, condition="first_name = %s", params=["t2"])


def test_both_cursors_cost_one_statement(rows: list[str], django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        KEYSET.positions(User.objects.all(), Page(limit=5, after=rows[1], before=rows[7]))
    with django_assert_num_queries(0):
        KEYSET.positions(User.objects.all(), Page(limit=5))


@pytest.mark.parametrize("text", ["a b", "../x", "x" * 65, "é", "conv_\n"])
@pytest.mark.parametrize("name", ["after", "before"])
def test_a_cursor_that_is_no_id_is_404(name: str, text: str) -> None:
    with pytest.raises(OmnigentError) as caught:
        PageQuery(**{name: text}).page("conv")  # type: ignore[arg-type]  # a wrong type is the point

    assert caught.value.status == 404
    assert caught.value.message == "Not found."


def test_bare_hex_means_the_prefixed_id_and_an_empty_cursor_means_none() -> None:
    page = PageQuery(after="0" * 32, before="").page("conv")

    assert page == Page(limit=20, after=conv(0), before=None, descending=True)


def test_the_envelope_of_an_empty_page_and_of_a_full_one() -> None:
    assert envelope([], [], has_more=False) == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }
    full = envelope([{"id": "a"}, {"id": "b"}], ["a", "b"], has_more=True)
    assert (full["first_id"], full["last_id"], full["has_more"]) == ("a", "b", True)
