"""Messages that a program in a terminal has been sent and that its transcript does not show yet."""

from django.db import models

from sessions_app.models.session import Session


class PendingInput(models.Model):
    """One such message; it goes when it becomes the item whose id it has been promised.

    `content` is the JSON text of its content blocks, as they were posted.
    """

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="pending_inputs")
    public_id = models.CharField(max_length=64, unique=True)
    item_id = models.CharField(max_length=64)
    content = models.TextField()
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.public_id
