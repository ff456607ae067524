"""Decisions that came with an archive: what another log says, kept apart from this server's own."""

from django.db import models

from omnigent.ids import DECISION, mint


def new_imported_decision_id() -> str:
    """A fresh public id."""
    return mint(DECISION)


class ImportedDecision(models.Model):
    """A decision of the log named `origin`, as an archive told it; no seal of this server vouches for it.

    `text` is its row in that log, hashes included. The rest is for finding it: `session_id` and
    `root_session_id` name the imported sessions, by id only, so that the row outlives them; `actor` and what
    follows repeat the text, empty where that has null. The rows of a tree have the order of its archive.
    """

    imported_id = models.CharField(
        max_length=64, unique=True, default=new_imported_decision_id, editable=False
    )
    session_id = models.CharField(max_length=64)
    root_session_id = models.CharField(max_length=64)
    origin = models.CharField(max_length=64)
    actor = models.CharField(max_length=150, blank=True, default="")
    phase = models.CharField(max_length=16)
    verdict = models.CharField(max_length=8)
    policy_id = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField()
    text = models.TextField()
    imported_at = models.DateTimeField()
    imported_by = models.CharField(max_length=150)

    class Meta:
        indexes = [
            models.Index(fields=["session_id", "id"], name="imported_decision_session"),
            models.Index(fields=["root_session_id", "id"], name="imported_decision_root"),
            models.Index(fields=["imported_at"], name="imported_decision_time"),
        ]

    def __str__(self) -> str:
        return f"{self.origin}: {self.verdict}"
