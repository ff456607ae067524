"""The document itself, built once per process."""

from functools import cache
from typing import Any

import orjson
from drf_spectacular.generators import SchemaGenerator

from omnigent.api.schema.families import components
from omnigent.api.schema.models import Schema
from omnigent.version import VERSION

SECURITY: Schema = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A personal access token, or what a runner was given for its binding token.",
    },
    "cookie": {
        "type": "apiKey",
        "in": "cookie",
        "name": "ap_session",
        "description": "A browser's login. Writes need the server's own Origin, or X-CSRFToken.",
    },
}
DESCRIPTION = (
    "Sessions of AI agents: what they are asked, what they do, and everybody who watches. "
    "Every error has `error.code` and `error.message`. On a server for one person no credential is needed; "
    "behind a trusted proxy its header says who calls."
)


@cache
def document() -> bytes:
    """The whole description as JSON text. It depends on the code alone."""
    generator = SchemaGenerator()  # type: ignore[no-untyped-call]  # untyped upstream
    return orjson.dumps(generator.get_schema(public=True))  # type: ignore[no-untyped-call]  # see above


def complete(*, result: Schema, generator: Any, request: Any, public: bool) -> Schema:
    """The last step of drf-spectacular's generator: what no view says."""
    result["info"] |= {"title": "Omnigent", "version": VERSION, "description": DESCRIPTION}
    known = result.setdefault("components", {})
    known["schemas"] = dict(sorted({**known.get("schemas", {}), **components()}.items()))
    known["securitySchemes"] = SECURITY
    return result
