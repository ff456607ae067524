"""Uploaded files of sessions, and the blobs that hold their bytes."""

from django.db import models

from omnigent.ids import FILE, mint
from sessions_app.models.session import Session


def new_file_id() -> str:
    """A fresh public file id."""
    return mint(FILE)


class Blob(models.Model):
    """Stored bytes under the SHA-256 of them. Whoever adds or removes the bytes holds this row's lock."""

    digest = models.CharField(max_length=64, primary_key=True)
    size = models.BigIntegerField()
    stored_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.digest[:12]} ({self.size} bytes)"


class File(models.Model):
    """A file that was given to a session. Copies of a file, and equal files, share one blob."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="files", db_index=False)
    public_id = models.CharField(max_length=64, unique=True, default=new_file_id, editable=False)
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="files")
    filename = models.CharField(max_length=255)
    content_type = models.CharField(max_length=100)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        indexes = [models.Index(fields=["session", "created_at", "id"], name="files_of_session")]

    def __str__(self) -> str:
        return self.filename
