"""/oidc/login sends a browser to the issuer, /oidc/callback takes it back."""

import logging

from allauth.socialaccount.adapter import get_adapter
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.oauth2.views import OAuth2CallbackView
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import get_random_string
from django.views.decorators.http import require_safe
from requests import RequestException

from omnigent.accounts.oidc.issuer import FAILED, MALFORMED, Issuer, nonce_of
from omnigent.accounts.oidc.refusals import refusal
from omnigent.accounts.pages.answering import own_path, page, require_accounts
from omnigent.accounts.services import throttle
from omnigent.accounts.services.logins import address_of

logger = logging.getLogger(__name__)

PURPOSE = "oidc"
STATE_LENGTH = 43
UNREACHABLE = "The other service cannot be reached now. Try again in a while."


@require_safe
@page
def login(request: HttpRequest) -> HttpResponse:
    """On to the issuer, with state, nonce and PKCE; `next` is kept on this side."""
    require_accounts()
    throttle.count(throttle.starts(purpose=PURPOSE, address=address_of(request)))
    state_id = get_random_string(STATE_LENGTH)
    provider = get_adapter(request).get_provider(request, settings.OMNIGENT_OIDC_PROVIDER)
    provider.oauth2_adapter_class = Issuer
    try:
        answer: HttpResponse = provider.redirect(
            request,
            AuthProcess.LOGIN,
            next_url=own_path(request.GET.get("next", "")),
            state_id=state_id,
            auth_params={"nonce": nonce_of(state_id)},
        )
    except (OAuth2Error, RequestException, *MALFORMED) as error:
        return failed(request, error, UNREACHABLE, 503)
    return answer


@require_safe
@page
def callback(request: HttpRequest) -> HttpResponse:
    """Back from the issuer: the library exchanges the code, `Outcome` decides."""
    require_accounts()
    throttle.count(throttle.starts(purpose=f"{PURPOSE}-callback", address=address_of(request)))
    view = OAuth2CallbackView.adapter_view(Issuer(request, settings.OMNIGENT_OIDC_PROVIDER))
    try:
        answer: HttpResponse = view(request)
    except (OAuth2Error, RequestException, *MALFORMED) as error:
        return failed(request, error, FAILED, 403)
    return answer


def failed(request: HttpRequest, error: Exception, words: str, status: int) -> HttpResponse:
    logger.warning("oidc_failed", extra={"reason": f"{type(error).__name__}: {error}"[:200]})
    return refusal(request, words, status)
