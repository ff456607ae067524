"""What search looks into: the folded text of items, filled behind a mark, and folded titles."""

from typing import Any

from django.db import models


class FoldedText:
    """The attribute of a `FoldedField`: what is set counts as loaded, what is read follows the source."""

    def __init__(self, field: "FoldedField") -> None:
        self.field = field

    def __get__(self, instance: models.Model | None, owner: type | None = None) -> Any:
        return self if instance is None else getattr(instance, self.field.source).casefold()

    def __set__(self, instance: models.Model, value: object) -> None:
        instance.__dict__[self.field.attname] = value


class FoldedField(models.TextField):  # type: ignore[type-arg]  # generic in the stubs only
    """A column that holds the case-folded text of another field of its row whenever both are written."""

    descriptor_class = FoldedText

    def __init__(self, *args: Any, source: str, **kwargs: Any) -> None:
        self.source = source
        super().__init__(*args, **{"editable": False, "default": "", **kwargs})

    def deconstruct(self) -> Any:
        """For migrations: the source belongs to the field."""
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, {**kwargs, "source": self.source}


class SearchText(models.Model):
    """The searchable text of one item, case-folded.

    The session is no constraint: the only writer and the only deleter exclude each other, and a constraint
    would make the writer wait for the locks of running sessions.
    """

    item_id = models.BigIntegerField(primary_key=True)
    session = models.ForeignKey(
        "Session", on_delete=models.CASCADE, related_name="+", db_index=False, db_constraint=False
    )
    text = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["session", "item_id"], name="search_text_of_session")]

    def __str__(self) -> str:
        return f"item {self.item_id}"


class SearchProgress(models.Model):
    """How far items are in the index: all up to `indexed_to`, and those beyond that have a row.

    Ids of items become visible out of order where several writers work. `settled_to` is a number below which
    every id is visible or gone once all transactions before `horizon` have ended.
    """

    indexed_to = models.BigIntegerField(default=0)
    settled_to = models.BigIntegerField(default=0)
    horizon = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(pk=1), name="one_search_progress")]

    def __str__(self) -> str:
        return f"indexed to {self.indexed_to}"
