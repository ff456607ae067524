"""Fill the folded titles of the sessions that are there already."""

from django.db import migrations

ROWS = 1000


def fold(apps, schema_editor):
    Session = apps.get_model("sessions_app", "Session")
    titled = Session.objects.exclude(title="").order_by("pk").only("pk", "title")
    last = 0
    while rows := list(titled.filter(pk__gt=last)[:ROWS]):
        Session.objects.bulk_update(rows, ["folded_title"])
        last = rows[-1].pk


class Migration(migrations.Migration):
    dependencies = [("sessions_app", "0006_search_index")]

    operations = [migrations.RunPython(fold, migrations.RunPython.noop)]
