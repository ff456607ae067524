"""The library's side of the exchange, held to what OpenID Connect asks of a client besides."""

import logging
from typing import Any

import jwt
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter, get_adapter
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.base.constants import AuthError
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac

from omnigent.accounts.api.answers import public_address
from omnigent.accounts.oidc.joining import account_of
from omnigent.accounts.oidc.refusals import refusal
from omnigent.accounts.pages.answering import own_path
from omnigent.accounts.services import logins
from omnigent.errors import OmnigentError

logger = logging.getLogger(__name__)

ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""Signatures by a private key: with any other kind our own secret or a public key could be the key."""

CONFIGURATION_SECONDS = 300
NONCE_SALT = "omnigent.accounts.oidc.nonce"
NEEDED = ("sub", "exp", "iat")
CANCELLED = "The login was cancelled."
FAILED = "The other service gave no answer that could be trusted. Try again."
MALFORMED = (AttributeError, KeyError, TypeError, ValueError)


def nonce_of(state_id: str) -> str:
    """The nonce of a login: bound to its state, which is bound to the browser's session."""
    return salted_hmac(NONCE_SALT, state_id, algorithm="sha256").hexdigest()


class Issuer(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]  # the library is untyped
    """One exchange with the configured issuer."""

    @property
    def openid_config(self) -> dict[str, Any]:
        """The issuer's own description, read again every few minutes. Raises OAuth2Error for another's."""
        key = f"{self.provider_id}-configuration"
        found: dict[str, Any] | None = cache.get(key)
        if found is None:
            found = super().openid_config
            if str(found.get("issuer", "")).rstrip("/") != settings.OMNIGENT_OIDC_ISSUER:
                raise OAuth2Error("the configuration is of another issuer")
            cache.set(key, found, CONFIGURATION_SECONDS)
        return found

    def get_callback_url(self, request: HttpRequest, app: object) -> str:
        return public_address(request, reverse("oidc-callback"))

    def complete_login(self, request: HttpRequest, app: Any, token: Any, **kwargs: Any) -> SocialLogin:
        """Who it is. Raises OAuth2Error unless the ID token is the issuer's, fresh, and of this login."""
        id_token = kwargs["response"].get("id_token")
        if not isinstance(id_token, str):
            raise OAuth2Error("there is no ID token")
        try:
            if jwt.get_unverified_header(id_token).get("alg") not in ALGORITHMS:
                raise OAuth2Error("the ID token is not signed by a private key")
            login: SocialLogin = self.get_provider().verify_token(request, {"id_token": id_token})
        except (ValidationError, ImproperlyConfigured) as error:
            # The latter is the library's word for a subject that is too long.
            raise OAuth2Error("the ID token does not verify") from error
        except (jwt.PyJWTError, *MALFORMED) as error:
            raise OAuth2Error("the ID token or its key is malformed") from error
        claims = login.account.extra_data
        if any(claims.get(name) is None for name in NEEDED):
            raise OAuth2Error("the ID token lacks a claim")
        if isinstance(claims.get("aud"), list) and claims.get("azp", app.client_id) != app.client_id:
            raise OAuth2Error("the ID token is for another client")
        if not constant_time_compare(str(claims.get("nonce")), nonce_of(request.GET["state"])):
            raise OAuth2Error("the ID token is of another login")
        if "email" not in claims:
            login.account.extra_data = {**self._userinfo(token.token, claims["sub"]), **claims}
        return login

    def _userinfo(self, access_token: str, subject: str) -> dict[str, Any]:
        """More claims, for issuers that keep ID tokens short."""
        address = self.openid_config.get("userinfo_endpoint")
        if not address:
            return {}
        with get_adapter().get_requests_session() as session:
            answer = session.get(address, headers={"Authorization": f"Bearer {access_token}"})
            answer.raise_for_status()
            found = answer.json()
        if not isinstance(found, dict) or found.get("sub") != subject:
            raise OAuth2Error("the user information is of somebody else")
        return found


class Outcome(DefaultSocialAccountAdapter):  # type: ignore[misc]  # the library is untyped
    """What becomes of an exchange. The library's own accounts, forms and mails are never reached."""

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """The exchange went well: log the person in, or say why not."""
        account = sociallogin.account
        try:
            user = account_of(account.extra_data, provider=account.provider)
        except OmnigentError as error:
            logger.info("oidc_refused", extra={"reason": error.message})
            raise ImmediateHttpResponse(refusal(request, error.message, error.status)) from None
        logins.begin(request, user)
        raise ImmediateHttpResponse(HttpResponseRedirect(own_path(sociallogin.state.get("next") or "")))

    def on_authentication_error(
        self,
        request: HttpRequest,
        provider: object,
        error: object = None,
        exception: Exception | None = None,
        extra_context: object = None,
    ) -> None:
        """It did not: nothing that the issuer sent is shown."""
        is_cancelled = error == AuthError.CANCELLED
        logger.warning("oidc_failed", extra={"reason": str(exception or error)[:200]})
        raise ImmediateHttpResponse(refusal(request, CANCELLED if is_cancelled else FAILED, 403))
