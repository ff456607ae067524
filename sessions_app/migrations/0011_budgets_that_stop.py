from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("sessions_app", "0010_approvals"),
    ]

    operations = [
        migrations.AddField(
            model_name="session",
            name="budget_due_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="session",
            name="policy_cost_below_usd",
            field=models.FloatField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="turn",
            name="stopped_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddIndex(
            model_name="session",
            index=models.Index(
                condition=models.Q(("budget_due_at__isnull", False)),
                fields=["budget_due_at"],
                name="session_budget_due",
            ),
        ),
    ]
