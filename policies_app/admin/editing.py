"""Adding and changing a server-wide policy: first a handler is picked, then its parameters are filled in."""

from typing import Any

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from omnigent.errors import ErrorCode, OmnigentError
from omnigent.policies.registry import Entry
from policies_app.admin import handlers, parameters
from policies_app.admin.forms import CHANGED_MEANWHILE, PolicyForm
from policies_app.admin.pages import PolicyPages, caller, require
from policies_app.admin.switching import policy_at
from policies_app.admin.trying import backtested
from policies_app.catalogue import catalogue
from policies_app.models import Decision, DefaultPolicy, PolicyType
from policies_app.services import default_policies, endpoints
from policies_app.services.default_policies import NewPolicy

LATEST = 6
URL = "url"
"""Stands for a web service where a handler is picked."""


def add(pages: PolicyPages, request: HttpRequest) -> HttpResponse:
    """Without `handler` the page to pick one, else the form for it."""
    require(pages.has_add_permission(request))
    picked = request.GET.get("handler", "")
    entry = catalogue().registry.get(picked)
    if entry is None and picked != URL:
        return _picker(pages, request, picked)
    initial = {"name": request.GET.get("name") or _free_name(entry)}
    form = _form(request, entry, None, {**initial, **(parameters.initial_of(entry, None) if entry else {})})
    if request.method == "POST" and form.is_valid() and form.new and not form.is_trial:
        created = _saved(form, request, form.new)
        if created is not None:
            pages.message_user(request, f"“{created.name}” is added. It holds in every session.")
            return HttpResponseRedirect(reverse("admin:policies_app_defaultpolicy_changelist"))
    return _page(pages, request, form, entry, None)


def change(pages: PolicyPages, request: HttpRequest, object_id: str) -> HttpResponse:
    """The form of one, filled in; with `handler` for another handler. For readers it is closed."""
    policy = policy_at(object_id)
    require(pages.has_view_or_change_permission(request, policy))
    is_open = pages.has_change_permission(request, policy)
    require(is_open or request.method != "POST")
    registry = catalogue().registry
    picked = request.GET.get("handler") or policy.handler
    entry = registry.get(picked) if policy.type == PolicyType.PYTHON else None
    if entry is None and policy.type == PolicyType.PYTHON:
        return _picker(pages, request, picked, policy)
    form = _form(request, entry, policy, _initial(policy, entry))
    if not is_open:
        for field in form.fields.values():
            field.disabled = True
    if request.method == "POST" and form.is_valid() and form.new and not form.is_trial:
        changed = _saved(form, request, form.new)
        if changed is not None:
            pages.message_user(request, f"“{changed.name}” is saved, as version {changed.version}.")
            return HttpResponseRedirect(reverse("admin:policies_app_defaultpolicy_change", args=[changed.pk]))
    return _page(pages, request, form, entry, policy, is_open=is_open)


def _form(
    request: HttpRequest, entry: Entry | None, policy: DefaultPolicy | None, initial: dict[str, Any]
) -> PolicyForm:
    data = request.POST if request.method == "POST" else None
    return PolicyForm(data, entry=entry, policy=policy, initial=initial, label_suffix="")


def _initial(policy: DefaultPolicy, entry: Entry | None) -> dict[str, Any]:
    columns = ("name", "handler", "mode", "approvers", "quorum", "ask_timeout", "version")
    shown = {column: getattr(policy, column) for column in columns}
    if entry is None:
        return shown
    # Another handler's parameters mean something else.
    is_same = policy.handler in (entry.handler, *entry.aliases)
    return {**shown, **parameters.initial_of(entry, policy.factory_params if is_same else None)}


def _saved(form: PolicyForm, request: HttpRequest, new: NewPolicy) -> DefaultPolicy | None:
    """The policy as it is now; None when a service refused, which the form then says."""
    try:
        if form.policy is None:
            return default_policies.create_policy(principal=caller(request), new=new)
        return _updated(form.policy, request, new)
    except OmnigentError as error:
        if error.code is ErrorCode.CONFLICT or error.code is ErrorCode.NOT_FOUND:
            form.add_error(None, CHANGED_MEANWHILE)
        else:
            form.refused(error)
        return None


def _updated(policy: DefaultPolicy, request: HttpRequest, new: NewPolicy) -> DefaultPolicy:
    changes = {
        "name": new.name,
        "handler": new.handler,
        "factory_params": new.factory_params,
        "mode": new.mode,
        "approvers": list(new.approvers),
        "quorum": new.quorum,
        "ask_timeout": new.ask_timeout,
    }
    with transaction.atomic():
        # The page showed this version; two who save it at once do not overwrite each other.
        same = DefaultPolicy.objects.select_for_update().filter(pk=policy.pk, version=policy.version)
        if not same.exists():
            raise OmnigentError(ErrorCode.CONFLICT, CHANGED_MEANWHILE)
        return default_policies.update_policy(
            principal=caller(request), policy_id=policy.public_id, changes=changes
        )


def _picker(
    pages: PolicyPages, request: HttpRequest, picked: str, policy: DefaultPolicy | None = None
) -> HttpResponse:
    unknown = f"“{picked[:200]}” is not registered. Pick another handler." if picked else ""
    return pages.page(
        request,
        "picker.html",
        f"A handler for “{policy.name}”" if policy else "Add a policy",
        families=handlers.families(catalogue().registry),
        unknown=unknown,
        policy=policy,
        status=404 if picked and request.method == "POST" else 200,
    )


def _page(
    pages: PolicyPages,
    request: HttpRequest,
    form: PolicyForm,
    entry: Entry | None,
    policy: DefaultPolicy | None,
    *,
    is_open: bool = True,
) -> HttpResponse:
    registry = catalogue().registry
    trial = _trial(form)
    decided = Decision.objects.filter(policy_id=policy.public_id) if policy else Decision.objects.none()
    return pages.page(
        request,
        "policy.html",
        policy.name if policy else f"Add a policy: {entry.name if entry else 'web service'}",
        form=form,
        entry=entry,
        policy=policy,
        choices=list(handlers.choices(registry, entry.handler)) if entry else [],
        decisions=list(decided.defer("input", "steps", "shadow").order_by("-seq")[:LATEST]),
        endpoint=endpoints.status_of(policy.handler) if policy and entry is None else None,
        is_open=is_open,
        trial=trial,
        may_delete=pages.has_delete_permission(request),
    )


def _trial(form: PolicyForm) -> dict[str, Any] | None:
    """What the draft says of what was decided, when that was asked for."""
    if not form.is_trial or not form.is_valid() or form.new is None:
        return None
    try:
        return backtested(form.new, form.policy, form.cleaned_data["days"] or 7)
    except OmnigentError as error:
        form.refused(error)
        return None


def _free_name(entry: Entry | None) -> str:
    return entry.handler.rpartition(".")[2] if entry else ""
