"""The session log: every event a live client can see, in order, before it is shown."""

from django.db import models

from sessions_app.models.session import Session


class LogEntry(models.Model):
    """One event; `seq` is contiguous per session, `data` is the JSON text of its SSE frame."""

    pk = models.CompositePrimaryKey("session_id", "seq")
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="log", db_index=False)
    seq = models.BigIntegerField()
    type = models.CharField(max_length=64)
    data = models.TextField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.seq} {self.type}"


class Store(models.Model):
    """One row: the incarnation of this database, which log numbers belong to."""

    epoch = models.BigIntegerField(default=1)
    incarnation = models.CharField(max_length=200, blank=True, default="")
    is_clean = models.BooleanField(default=True)

    def __str__(self) -> str:
        return f"epoch {self.epoch}"
