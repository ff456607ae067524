"""Pydantic models in the document: requests as they are validated, answers as they are sent."""

from typing import Any

from drf_spectacular.drainage import set_override
from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ResolvedComponent
from pydantic import BaseModel

from omnigent.api.schema.shapes import REFERENCE, Shape

Schema = dict[str, Any]
TEMPLATE = "#/components/schemas/{model}"
MODEL = "x-model"


class ModelExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]  # its registry is untyped
    """Stands before the extension that drf-spectacular brings, which knows one direction only."""

    target_class = "pydantic.BaseModel"
    match_subclasses = True
    priority = 1

    def get_name(self, auto_schema: AutoSchema, direction: str) -> str:
        set_override(self.target, "suppress_collision_warning", True)  # noqa: FBT003  # its signature
        return str(self.target.__name__)

    def map_serializer(self, auto_schema: AutoSchema, direction: str) -> Schema:
        schema = schema_of(self.target)
        for name, part in schema.pop("$defs", {}).items():
            register(auto_schema, name, part)
        return schema


def schema_of(model: type[BaseModel]) -> Schema:
    """The JSON schema of a model; its parts, which refer to each other as components, under `$defs`."""
    is_answer = issubclass(model, Shape)
    schema = model.model_json_schema(
        ref_template=TEMPLATE, mode="serialization" if is_answer else "validation"
    )
    tidied: Schema = tidy(schema, is_answer=is_answer)
    return tidied


def reference(model: type[BaseModel]) -> Schema:
    """A model inside a schema that is written by hand; the inspector makes its component."""
    return {"$ref": TEMPLATE.format(model=model.__name__), MODEL: model}


def tidy(value: Any, *, is_answer: bool) -> Any:
    """Without the titles that pydantic makes of names and, in answers, without defaults: nothing is filled in
    on the way out.
    """
    if isinstance(value, list):
        return [tidy(one, is_answer=is_answer) for one in value]
    if not isinstance(value, dict):
        return value
    if REFERENCE in value:
        return {"$ref": TEMPLATE.format(model=value[REFERENCE])}
    return {
        key: {name: tidy(one, is_answer=is_answer) for name, one in member.items()}
        if key in ("properties", "$defs")
        else tidy(member, is_answer=is_answer)
        for key, member in value.items()
        if key not in dropped(is_answer=is_answer)
    }


def dropped(*, is_answer: bool) -> tuple[str, ...]:
    return ("title", "default") if is_answer else ("title",)


def register(auto_schema: AutoSchema, name: str, schema: Schema) -> None:
    """Add a component. Raises ValueError when another schema has the name already."""
    component = ResolvedComponent(name, ResolvedComponent.SCHEMA, schema, name)  # type: ignore[no-untyped-call]  # untyped upstream
    if component not in auto_schema.registry:
        auto_schema.registry.register(component)
        return
    known = auto_schema.registry[component].schema
    if known is not None and known != schema:
        raise ValueError(f"two different models are called {name}")
