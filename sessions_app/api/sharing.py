"""GET and PUT /v1/sharing."""

from collections.abc import Mapping
from typing import Any, Literal

from django.http import HttpResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator
from rest_framework.request import Request
from rest_framework.views import APIView

from omnigent.api.schema.describing import describes
from omnigent.api.validation import parse
from sessions_app.api.answers import caller, json_answer
from sessions_app.api.shapes import account as shapes
from sessions_app.api.writing import answer, once
from sessions_app.models import SharingMode
from sessions_app.services import access, sharing
from sessions_app.services.receipts import Answer


class ChangeSharing(BaseModel):
    """PUT /v1/sharing: any subset; what is left out or null stays."""

    model_config = ConfigDict(extra="forbid")

    sharing_mode: Literal["on", "read_only", "restricted_read_only", "off"] | None = None
    public_sharing: bool | None = Field(default=None, strict=True)
    public_sharing_enabled: bool | None = Field(default=None, strict=True)
    public_sharing_max_level: Literal["read", "edit"] | None = None

    @model_validator(mode="after")
    def _one_public_switch(self) -> "ChangeSharing":
        both = (self.public_sharing, self.public_sharing_enabled)
        if None not in both and both[0] != both[1]:
            raise ValueError("public_sharing and public_sharing_enabled are the same switch")
        return self

    @property
    def public_enabled(self) -> bool | None:
        """The public switch, under either of its names."""
        return self.public_sharing if self.public_sharing_enabled is None else self.public_sharing_enabled


class SharingRules(APIView):
    """What may be shared on this server."""

    @describes(shapes.SharingShape)
    def get(self, request: Request) -> HttpResponse:
        """The rules in force, and what they could be."""
        return json_answer(shown(sharing.rules(), is_editable=caller(request).is_admin))

    @describes(shapes.SharingShape, body=ChangeSharing)
    def put(self, request: Request) -> HttpResponse:
        """Change the rules; administrators only."""
        body = parse(ChangeSharing, request.body)

        def work() -> Answer:
            rules = sharing.change_rules(
                principal=caller(request),
                mode=body.sharing_mode,
                public_enabled=body.public_enabled,
                public_max_level=body.public_sharing_max_level,
            )
            return answer(shown(rules, is_editable=True))

        return once(request, work)


def shown(rules: sharing.Rules, *, is_editable: bool) -> Mapping[str, Any]:
    """The rules as clients see them. New sessions always begin private."""
    return {
        "object": "sharing",
        "sharing_mode": rules.mode,
        "editable": is_editable,
        "options": SharingMode.values,
        "public_sharing_enabled": rules.public_enabled,
        "public_sharing_editable": is_editable,
        "public_sharing_max_level": sharing.WORDS[rules.public_max_level],
        "public_sharing_max_level_editable": is_editable,
        "public_sharing_max_level_options": list(sharing.PUBLIC_LEVELS),
        "default_public_sessions": "off",
        "default_public_sessions_editable": False,
        "default_public_sessions_options": ["off"],
    }


def server_info() -> Mapping[str, Any]:
    """What `/v1/info` says of sharing: nothing can be shared where there is one user."""
    if access.is_single_user():
        return {"sharing_mode": "off", "public_sharing_enabled": False, "public_sharing_max_level": "read"}
    rules = sharing.rules()
    return {
        "sharing_mode": rules.mode,
        "public_sharing_enabled": rules.allows_public,
        "public_sharing_max_level": sharing.WORDS[rules.public_ceiling],
    }
