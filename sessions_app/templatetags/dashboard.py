"""What the dashboard's templates print: status badges, times, states of tool calls."""

from datetime import UTC, datetime

from django import template
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

register = template.Library()

STATUS_WORDS = {"idle": "Idle", "running": "Running", "waiting": "Waiting", "failed": "Failed"}
CALL_STATES = {"running": "Running", "done": "Done", "unanswered": "No output"}
OUTCOMES = {"delegated": "Set to work", "completed": "Done", "failed": "Failed", "cancelled": "Cancelled"}
CODE = (("", ""), (mark_safe("<code>"), mark_safe("</code>")))
SPANS = ((60, 60, "min"), (3600, 24, "h"), (86400, 7, "d"))


@register.inclusion_tag("sessions/partials/status.html")
def status_badge(status: str) -> dict[str, str]:
    """A status as shape and word."""
    return {"status": status, "word": STATUS_WORDS.get(status, status)}


@register.filter
def call_state(state: str) -> str:
    """The word for the state of a tool call."""
    return CALL_STATES.get(state, state)


@register.filter
def outcome(state: str) -> str:
    """The word for what became of a sub-agent's task."""
    return OUTCOMES.get(state, state)


@register.filter
def with_code(text: str) -> SafeString:
    """A sentence in which what stands between backticks is code."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return format_html("{}", text)
    return format_html_join(
        "", "{}{}{}", ((CODE[index % 2][0], part, CODE[index % 2][1]) for index, part in enumerate(parts))
    )


@register.simple_tag
def ago(epoch: int) -> SafeString:
    """How long ago `epoch` was, as a `<time>` element; after a week the date."""
    then = datetime.fromtimestamp(epoch, UTC)
    seconds = max(0, int((timezone.now() - then).total_seconds()))
    words = then.strftime("%-d %b %Y")
    if seconds < SPANS[0][0]:
        words = "just now"
    for unit, count, name in SPANS:
        if unit <= seconds < unit * count:
            words = f"{seconds // unit} {name} ago"
            break
    return format_html('<time datetime="{}" title="{}">{}</time>', then.isoformat(), _full(then), words)


@register.simple_tag
def clock(epoch: int) -> SafeString:
    """The time of day of `epoch`; the page's script shows it in the reader's zone."""
    then = datetime.fromtimestamp(epoch, UTC)
    return format_html(
        '<time class="clock" datetime="{}" title="{}">{}</time>',
        then.isoformat(),
        _full(then),
        then.strftime("%H:%M"),
    )


@register.simple_tag
def moment(epoch: int) -> SafeString:
    """Date and time of `epoch`."""
    then = datetime.fromtimestamp(epoch, UTC)
    return format_html('<time class="moment" datetime="{}">{}</time>', then.isoformat(), _full(then))


def _full(then: datetime) -> str:
    return then.strftime("%-d %b %Y, %H:%M UTC")
