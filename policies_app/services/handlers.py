"""Whether a policy can be applied: its handler is registered and takes its parameters."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from omnigent.errors import ErrorCode, OmnigentError
from omnigent.outbound import Guard, Refused, SystemResolver
from omnigent.policies.loading import PolicyLoadError, load
from omnigent.policies.params import problems
from policies_app.catalogue import catalogue
from policies_app.models import PolicyType

DOTTED = re.compile(r"[a-zA-Z_]\w*(\.[a-zA-Z_]\w*)+", re.ASCII)
HTTPS = "https://"
MAX_HANDLER = 2048


def check_handler(*, type: str, handler: str, factory_params: Mapping[str, Any] | None) -> None:
    """Raise INVALID_INPUT in words unless a policy with this handler and these parameters can be applied."""
    if type == PolicyType.URL:
        problem = url_problem(handler)
        if factory_params is not None:
            problem = "factory_params are only valid for type 'python'"
    else:
        problem = _python_problem(handler, factory_params)
    if problem:
        raise OmnigentError(ErrorCode.INVALID_INPUT, problem)


def check_approvers(approvers: Sequence[str], quorum: int) -> None:
    """Raise INVALID_INPUT when so many could never agree."""
    if approvers and quorum > len(set(approvers)):
        raise OmnigentError(
            ErrorCode.INVALID_INPUT, f"quorum is {quorum}, but only {len(set(approvers))} may approve"
        )


def url_problem(handler: str) -> str:
    """What is wrong with the address of a url policy, before anybody looks up its name; empty for nothing."""
    if not handler.startswith(HTTPS):
        return f"A url handler must start with {HTTPS}"
    try:
        Guard(catalogue().outbound, SystemResolver()).check_url(handler)
    except Refused as refused:
        return f"The url handler cannot be used: {refused}"
    return ""


def _python_problem(handler: str, factory_params: Mapping[str, Any] | None) -> str:
    if not DOTTED.fullmatch(handler) or len(handler) > MAX_HANDLER:
        return f"'{handler[:200]}' is not the dotted path of a handler"
    entry = catalogue().registry.get(handler)
    if entry is None:
        return f"Handler '{handler[:200]}' is not registered; GET /v1/policy-registry lists those that are"
    found = problems(entry, factory_params)
    if found:
        return f"factory_params: {'; '.join(found)}"
    try:
        load(entry, factory_params)
    except PolicyLoadError as error:
        return f"factory_params: {error}"
    return ""
