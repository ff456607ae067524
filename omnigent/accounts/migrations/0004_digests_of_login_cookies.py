"""Logins are kept under digests of their cookies; those that there are go on."""

from typing import Any

from django.db import migrations, models

from omnigent.accounts.secret_tokens import digest_of


def digest(apps: Any, schema_editor: Any) -> None:
    logins = apps.get_model("accounts", "LoginSession").objects.using(schema_editor.connection.alias)
    for cookie in list(logins.values_list("session_key", flat=True)):
        logins.filter(session_key=cookie).update(session_key=digest_of(cookie))


def end_all(apps: Any, schema_editor: Any) -> None:
    """No cookie is known any more: on the way back everybody has to log in again."""
    apps.get_model("accounts", "LoginSession").objects.using(schema_editor.connection.alias).all().delete()


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_device_logins")]

    operations = [
        migrations.AlterField(
            model_name="loginsession",
            name="session_key",
            field=models.CharField(
                max_length=64, primary_key=True, serialize=False, verbose_name="session key"
            ),
        ),
        migrations.RunPython(digest, end_all),
    ]
