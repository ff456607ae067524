"""What people's sessions cost, day by day; kept when the sessions are gone."""

from django.db import models


class UserDailyCost(models.Model):
    """One person's spending on one UTC day. `cost_usd` is null while nothing of what was used has a price.

    `ask_approved_usd` is how far a person has agreed to go on that day.
    """

    user_id = models.CharField(max_length=150)
    day = models.DateField()
    cost_usd = models.FloatField(null=True, blank=True)
    ask_approved_usd = models.FloatField(default=0.0)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user_id", "day"], name="one_cost_per_person_and_day")]

    def __str__(self) -> str:
        return f"{self.user_id} {self.day}: {self.cost_usd}"
