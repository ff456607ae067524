"""The new-session page: a form, and a consumer that takes it, because a host has to be asked meanwhile."""

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from urllib.parse import parse_qsl

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from omnigent.accounts.identity import Principal
from omnigent.api.consumer import HttpConsumer
from omnigent.api.headers import DIRECTIVES
from omnigent.api.validation import ValidationFailed, refuse_nul, validate
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import mint
from omnigent.protocol.inputs import SessionEvent
from sessions_app.bodies import CreateSession
from sessions_app.flows.create import create_session
from sessions_app.running import running_process
from sessions_app.services import receipts, requesting
from sessions_app.services.policing.chains import chains_here
from sessions_app.views.answering import page, principal_of
from sessions_app.views.picking import agents_of, hosts_of

logger = logging.getLogger(__name__)

AUTO = "auto"
MAX_FIELDS = 50
FIELD_NAMES = {"agent_id": "Agent", "title": "Title", "workspace": "Workspace"}
HTML_HEADERS = (
    (b"content-type", b"text/html; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"content-security-policy", "; ".join((*DIRECTIVES, "frame-ancestors 'none'")).encode()),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """What the page's form holds; every field is text as it was typed."""

    agent_id: str = ""
    host_id: str = AUTO
    workspace: str = ""
    title: str = ""
    message: str = ""
    key: str = ""


@require_safe
@page
def new_session(request: HttpRequest) -> HttpResponse:
    """The empty form; `?agent=` chooses one."""
    form = Form(agent_id=request.GET.get("agent", ""))
    return render(request, "sessions/new.html", _context(principal_of(request), form))


class NewSession(HttpConsumer):
    """POST /new. What cannot be created comes back in the form, with the reason."""

    async def handle(self) -> None:
        process = running_process()
        principal: Principal = self.principal
        form = read_form(await self.body())
        try:
            body = _body(form)
            asked_for = b"form /new " + orjson.dumps(asdict(form))
            claimed = receipts.claim(principal, form.key or None, asked_for=asked_for)
            answer = await create_session(process, principal, body, claimed)
        except OmnigentError as error:
            html = await process.pool.run(_page_with_error, principal, form, _words(error))
            await self._html(error.status, html)
            return
        session_id = str(orjson.loads(answer.body)["id"])
        address = reverse("session-detail", args=[session_id])
        if form.message and form.host_id and not await process.pool.run(_say, principal, session_id, form):
            address = f"{address}?{urlencode({'draft': form.message[:2000]})}"
        await self.start(303, ((b"location", address.encode()), (b"cache-control", b"no-store")))
        await self.finish()

    async def _html(self, status: int, html: str) -> None:
        await self.start(status, HTML_HEADERS)
        await self.write(html.encode())
        await self.finish()


def read_form(raw: bytes) -> Form:
    """A posted form. Raises when it cannot be one."""
    try:
        pairs = parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise OmnigentError(ErrorCode.INVALID_INPUT, "The form could not be read") from None
    posted = {name: value for name, value in pairs if name in Form.__dataclass_fields__}
    refuse_nul(posted, where="body")
    # Browsers send line ends as CRLF; stored text has one form.
    return Form(**{name: value.replace("\r\n", "\n").strip() for name, value in posted.items()})


def _body(form: Form) -> CreateSession:
    wanted: dict[str, object] = {
        "agent_id": form.agent_id,
        "title": form.title or None,
        "host_id": form.host_id or None,
        "workspace": form.workspace or None,
    }
    if form.message and not form.host_id:
        # Nobody could run it yet: it waits in the session for the runner that is bound to it.
        wanted["initial_items"] = [{"type": "message", "data": _message(form)}]
    return validate(CreateSession, wanted, where="body")


def _message(form: Form) -> dict[str, object]:
    return {"role": "user", "content": [{"type": "input_text", "text": form.message}]}


def _say(principal: Principal, session_id: str, form: Form) -> bool:
    """Send the first message; a refusal leaves the session and is told on its page."""
    event = SessionEvent(type="message", data=_message(form))
    key = f"{form.key}-message" if form.key else None
    try:
        kept = receipts.Receipts(key, orjson.dumps(_message(form)))
        requesting.post_unattended(principal, session_id, event, kept, chains_here())
    except OmnigentError as error:
        logger.info("first_message_refused", extra={"session": session_id, "reason": error.message})
        return False
    return True


def _page_with_error(principal: Principal, form: Form, error: str) -> str:
    return render_to_string("sessions/new.html", _context(principal, form, error))


def _words(error: OmnigentError) -> str:
    if not isinstance(error, ValidationFailed):
        return error.message
    first = error.detail[0]
    return f"{FIELD_NAMES.get(str(first['loc'][-1]), 'The form')}: {first['msg']}"


def _context(principal: Principal, form: Form, error: str = "") -> Mapping[str, object]:
    hosts = hosts_of(principal)
    own, builtin = agents_of(principal, hosts)
    usable = [agent for agent in (*own, *builtin) if not agent.obstacle]
    chosen = form.agent_id or next((agent.id for agent in (*usable, *own, *builtin)), "")
    return {
        "nav": "new",
        "own": own,
        "builtin": builtin,
        "hosts": hosts,
        "online_hosts": sum(host.is_online for host in hosts),
        "form": {**asdict(form), "agent_id": chosen},
        "error": error,
        # A form that came back is another attempt: its old key stands for what was refused.
        "key": mint("key"),
    }
