"""Conversation items: append-only, numbered without gaps inside their session."""

from django.db import models
from django.db.models import Q

from omnigent.ids import ITEM, mint
from sessions_app.models.session import Session


def new_item_id() -> str:
    """A fresh public item id."""
    return mint(ITEM)


class Item(models.Model):
    """One committed item.

    `data` is the compact JSON object of its non-null payload fields as the API shows them; `null_fields`
    names the fields that are null, so that answers are spliced from stored text and never parsed.
    """

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="items", db_index=False)
    position = models.BigIntegerField()
    public_id = models.CharField(max_length=64, unique=True, default=new_item_id, editable=False)
    type = models.CharField(max_length=32)
    status = models.CharField(max_length=16, default="completed")
    response_id = models.CharField(max_length=128)
    data = models.TextField()
    null_fields = models.CharField(max_length=512, blank=True, default="")
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150, blank=True, default="")
    stable_id = models.CharField(max_length=128, null=True, blank=True)  # noqa: DJ001 - null is "no key" and stays out of the constraint

    class Meta:
        ordering = ["session", "position"]
        constraints = [
            models.UniqueConstraint(fields=["session", "position"], name="item_position"),
            models.UniqueConstraint(
                fields=["session", "stable_id"],
                condition=Q(stable_id__isnull=False),
                name="item_once_per_key",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.public_id}"
