"""The accounts application."""

import importlib

from django.apps import AppConfig
from django.core.checks import register

from omnigent.accounts.checks import (
    check_environment,
    check_hosts,
    check_identity,
    check_origins,
    check_secret_key,
    check_single_sign_on,
)


class AccountsConfig(AppConfig):
    name = "omnigent.accounts"
    label = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        # Its receivers hear of every change to a user, and it needs the models.
        importlib.import_module("omnigent.accounts.services.revocation")
        for check in (
            check_environment,
            check_hosts,
            check_identity,
            check_origins,
            check_secret_key,
            check_single_sign_on,
        ):
            register(check)
