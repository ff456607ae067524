"""Users."""

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q


class User(AbstractUser):
    """A person. The `username` is the user id that the API shows and that grants name.

    `is_staff` makes an administrator, `is_auditor` somebody who may read everything and change nothing.
    """

    is_auditor = models.BooleanField(
        "auditor", default=False, help_text="Reads every session and changes nothing."
    )

    class Meta(AbstractUser.Meta):
        constraints = [
            models.CheckConstraint(
                condition=~Q(is_auditor=True, is_staff=True),
                name="auditors_are_not_staff",
                violation_error_message="An auditor cannot be an administrator too.",
            )
        ]
