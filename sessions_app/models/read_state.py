"""How far a person has read a session."""

from django.db import models

from sessions_app.models.session import Session


class ReadState(models.Model):
    """One person's mark: `last_seen` in epoch seconds, `unread` when they want to come back to it."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="read_states", db_index=False)
    user_id = models.CharField(max_length=150)
    last_seen = models.BigIntegerField()
    unread = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["session", "user_id"], name="one_read_state_per_person")
        ]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.last_seen}"
