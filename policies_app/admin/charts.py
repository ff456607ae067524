"""Numbers of the decision log as bars, drawn by the server. Sizes are in the units of the picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count
from django.db.models.functions import TruncDate
from django.utils import timezone

from policies_app.models import Decision, VerdictName

DAYS = 14
WIDTH, HEIGHT = 560, 150
LEFT, BOTTOM, TOP = 34, 20, 8
GAP = 8
MOST = 5
ORDER = (VerdictName.ALLOW, VerdictName.ASK, VerdictName.DENY)
"""From the ground up: what was denied is at the top of a bar."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A piece of a bar."""

    verdict: str
    count: int
    y: float
    height: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """A day. `label` is below it, empty for most."""

    x: float
    middle: float
    width: float
    day: date
    label: str
    parts: Sequence[Part]

    @property
    def words(self) -> str:
        """What it says, for those who do not see it."""
        counts = ", ".join(f"{part.count} {part.verdict}" for part in self.parts)
        return f"{self.day:%d %B}: {counts or 'nothing'}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Chart:
    """Decisions per day by verdict. `lines` are (y, number) of the scale."""

    bars: Sequence[Bar]
    lines: Sequence[tuple[float, int]]
    totals: Sequence[tuple[str, int]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    ground: int = HEIGHT - BOTTOM


@dataclass(frozen=True, kw_only=True, slots=True)
class Denying:
    """A policy that denies; `width` of a hundred, against the one that does most."""

    name: str
    policy_id: str
    count: int
    width: float


def per_day() -> Chart:
    """The last days, today's being the last bar; one statement."""
    today = timezone.now().date()
    first = today - timedelta(days=DAYS - 1)
    counted = (
        Decision.objects.filter(created_at__gte=_midnight(first))
        .annotate(day=TruncDate("created_at"))
        .values_list("day", "verdict")
        .annotate(count=Count("seq"))
    )
    counts = {(day, verdict): count for day, verdict, count in counted}
    days = [first + timedelta(days=n) for n in range(DAYS)]
    highest = max((sum(counts.get((day, one), 0) for one in ORDER) for day in days), default=0)
    scale = _ceiling(highest)
    totals = [(str(one), sum(counts.get((day, one), 0) for day in days)) for one in reversed(ORDER)]
    ground = HEIGHT - BOTTOM
    return Chart(
        bars=[_bar(place, day, counts, scale) for place, day in enumerate(days)],
        lines=[(ground, 0), (_y(scale // 2, scale), scale // 2), (_y(scale, scale), scale)],
        totals=totals,
    )


def top_denying() -> list[Denying]:
    """The policies that denied most in the same time; one statement."""
    first = timezone.now().date() - timedelta(days=DAYS - 1)
    denied = Decision.objects.filter(verdict=VerdictName.DENY, created_at__gte=_midnight(first))
    rows = list(
        denied.exclude(policy_name="")
        .values_list("policy_name", "policy_id")
        .annotate(count=Count("seq"))
        .order_by("-count", "policy_name")[:MOST]
    )
    most = rows[0][2] if rows else 1
    return [
        Denying(name=name, policy_id=public_id, count=count, width=round(100 * count / most, 1))
        for name, public_id, count in rows
    ]


def _bar(place: int, day: date, counts: dict[tuple[date, str], int], scale: int) -> Bar:
    step = (WIDTH - LEFT) / DAYS
    x, width = LEFT + place * step + GAP / 2, step - GAP
    parts, below = [], 0
    for verdict in ORDER:
        count = counts.get((day, verdict), 0)
        if count:
            top = _y(below + count, scale)
            parts.append(Part(verdict=verdict, count=count, y=top, height=round(_y(below, scale) - top, 2)))
            below += count
    is_labelled = (DAYS - 1 - place) % 3 == 0
    return Bar(
        x=round(x, 2),
        middle=round(x + width / 2, 2),
        width=round(width, 2),
        day=day,
        label=f"{day.day} {day:%b}" if is_labelled else "",
        parts=parts,
    )


def _y(count: int, scale: int) -> float:
    ground = HEIGHT - BOTTOM
    return round(ground - (ground - TOP) * count / scale, 2)


def _ceiling(highest: int) -> int:
    """The next even number that is easy to read."""
    size = 2
    while size < highest:
        size = size * 5 // 2 if str(size)[0] == "2" else size * 2
    return size


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=timezone.get_default_timezone())
