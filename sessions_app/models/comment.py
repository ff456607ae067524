"""Comments on places in a session's files, for its people and its agent."""

from django.db import models
from django.db.models import F, Q

from omnigent.ids import mint
from sessions_app.models.session import Session

COMMENT = "comment"


def new_comment_id() -> str:
    """A fresh public comment id."""
    return mint(COMMENT)


class CommentStatus(models.TextChoices):
    """draft until it is sent to the agent or settled by hand."""

    DRAFT = "draft"
    ADDRESSED = "addressed"


class Comment(models.Model):
    """One comment; indexes count characters of the file, `anchor_content` is the text that stood there."""

    public_id = models.CharField(max_length=64, unique=True, default=new_comment_id, editable=False)
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="comments", db_index=False)
    path = models.CharField(max_length=4096)
    start_index = models.BigIntegerField()
    end_index = models.BigIntegerField()
    body = models.TextField()
    status = models.CharField(max_length=16, choices=CommentStatus.choices, default=CommentStatus.DRAFT)
    anchor_content = models.TextField(null=True, blank=True)  # noqa: DJ001 - null is "nothing was quoted", which answers tell apart
    created_by = models.CharField(max_length=150, blank=True, default="")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["session", "id"], name="comments_of_session")]
        constraints = [
            models.CheckConstraint(condition=Q(status__in=CommentStatus.values), name="comment_status_known"),
            models.CheckConstraint(
                condition=Q(start_index__gte=0, end_index__gte=F("start_index")), name="comment_range_forward"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.path}: {self.status}"
