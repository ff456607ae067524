"""Projects: a person's own folders for their sessions."""

from django.db import models
from django.db.models import Q

from omnigent.ids import mint

PROJECT = "proj"


def new_project_id() -> str:
    """A fresh public project id."""
    return mint(PROJECT)


class SortMode(models.TextChoices):
    """How a person's projects are ordered."""

    ALPHABETICAL = "alphabetical"
    MANUAL = "manual"


class Project(models.Model):
    """One folder; nobody but its owner sees it. `config` is the clients' own, among it the default agent."""

    public_id = models.CharField(max_length=64, unique=True, default=new_project_id, editable=False)
    owner = models.CharField(max_length=150)
    name = models.CharField(max_length=256)
    config = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="one_project_per_name"),
            models.CheckConstraint(condition=~Q(name=""), name="project_has_a_name"),
        ]
        indexes = [models.Index(fields=["owner", "created_at", "id"], name="projects_of_person")]

    def __str__(self) -> str:
        return self.name


class ProjectOrder(models.Model):
    """How one person orders their projects; the ids are kept while the order is alphabetical."""

    owner = models.CharField(max_length=150, unique=True)
    sort_mode = models.CharField(max_length=16, choices=SortMode.choices, default=SortMode.ALPHABETICAL)
    project_ids = models.JSONField(default=list, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(sort_mode__in=SortMode.values), name="project_sort_mode_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.owner}: {self.sort_mode}"
