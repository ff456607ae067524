"""What the document says of an operation besides what its view says: names, callers, and common errors."""

import re
from collections.abc import Mapping
from typing import Any

from drf_spectacular.openapi import AutoSchema
from rest_framework.permissions import AllowAny

from omnigent.api.schema.describing import REFUSALS
from omnigent.api.schema.models import MODEL, Schema
from omnigent.api.schema.shapes import ErrorAnswer

UNKNOWN_CALLER = "401"
MISSING = "404"
SERVER = "server"
ERROR: Schema = {"$ref": f"#/components/schemas/{ErrorAnswer.__name__}"}
CREDENTIALS: list[Mapping[str, list[str]]] = [{"bearer": []}, {"cookie": []}]


class Inspector(AutoSchema):
    """Set as DRF's schema class, so that every view has it."""

    def get_operation(
        self, path: str, path_regex: str, path_prefix: str, method: str, registry: Any
    ) -> Schema | None:
        operation: Schema | None = super().get_operation(path, path_regex, path_prefix, method, registry)
        if operation is not None:
            responses = operation["responses"]
            if not self.is_public():
                responses.setdefault(UNKNOWN_CALLER, refusal(UNKNOWN_CALLER))
            if "{" in path:
                responses.setdefault(MISSING, refusal(MISSING))
            operation["responses"] = dict(sorted(responses.items()))
            operation = self._resolved(operation)
        return operation

    def _resolved(self, value: Any) -> Any:
        """A copy in which models that hand-written schemas name have become components."""
        if isinstance(value, list):
            return [self._resolved(one) for one in value]
        if not isinstance(value, dict):
            return value
        if MODEL in value:
            return self.resolve_serializer(value[MODEL], "response").ref
        return {key: self._resolved(one) for key, one in value.items()}

    def is_public(self) -> bool:
        """Whether callers need no identity."""
        return any(isinstance(one, AllowAny) for one in self.view.get_permissions())

    def get_operation_id(self) -> str:
        """The method and the view's name, in snake case."""
        name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(self.view).__name__).lower()
        return f"{getattr(self.view, 'action', None) or self.method.lower()}_{name}"

    def get_summary(self) -> str | None:
        """The first sentence of the method's docstring."""
        return next(iter(self._method_words()), None)

    def get_description(self) -> str:  # type: ignore[override]  # drf-spectacular's own signature
        """What the view is, and the method's docstring."""
        words = [(type(self.view).__doc__ or "").strip(), *self._method_words()]
        return "\n\n".join(" ".join(one.split()) for one in words if one)

    def get_tags(self) -> list[str]:
        """The collection that the path is about."""
        parts = [part for part in self.path.split("/") if part and not part.startswith("{")]
        below = parts[1:] if parts and parts[0] == "v1" else []
        return [below[0] if below and len(self.path.split("/")) > 2 else SERVER]

    def get_auth(self) -> list[Any]:
        """Any of the credentials; where a mode needs none, or everybody may, none."""
        return [*CREDENTIALS, {}]

    def _is_list_view(self, serializer: Any = None) -> bool:
        """Answers are described whole; nothing is wrapped into an array."""
        return False

    def get_filter_backends(self) -> list[Any]:
        return []

    def _method_words(self) -> list[str]:
        method = getattr(self.view, getattr(self.view, "action", None) or self.method.lower(), None)
        text = (getattr(method, "__doc__", None) or "").strip()
        return [" ".join(part.split()) for part in text.split("\n\n") if part.strip()]


def refusal(status: str) -> Schema:
    """An error answer that follows from the path or from who may call."""
    return {"content": {"application/json": {"schema": ERROR}}, "description": REFUSALS[int(status)]}
