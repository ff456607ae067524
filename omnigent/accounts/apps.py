"""The accounts application."""

from django.apps import AppConfig
from django.core.checks import register

from omnigent.accounts.checks import check_environment, check_hosts, check_origins, check_secret_key


class AccountsConfig(AppConfig):
    name = "omnigent.accounts"
    label = "accounts"
    verbose_name = "Accounts"

    def ready(self) -> None:
        for check in (check_environment, check_hosts, check_origins, check_secret_key):
            register(check)
