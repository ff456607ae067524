"""What the whole server allows to be shared."""

from django.db import models
from django.db.models import Q


class SharingMode(models.TextChoices):
    """Which new grants may be given; the first allows most."""

    ON = "on"
    READ_ONLY = "read_only"
    RESTRICTED_READ_ONLY = "restricted_read_only"
    OFF = "off"


class Sharing(models.Model):
    """One row, once somebody has changed what the environment sets. `public_max_level` is a grant's level."""

    mode = models.CharField(max_length=24, choices=SharingMode.choices)
    public_enabled = models.BooleanField()
    public_max_level = models.PositiveSmallIntegerField()
    updated_at = models.DateTimeField()
    updated_by = models.CharField(max_length=150, blank=True, default="")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(pk=1), name="one_sharing_row"),
            models.CheckConstraint(condition=Q(mode__in=SharingMode.values), name="sharing_mode_known"),
            models.CheckConstraint(
                condition=Q(public_max_level__gte=1, public_max_level__lte=2), name="public_level_known"
            ),
        ]

    def __str__(self) -> str:
        return self.mode
