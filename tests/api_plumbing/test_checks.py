"""System checks of the settings."""

from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks

from omnigent.env import BadValue


def ids(prefix: str = "omnigent") -> list[str]:
    return [str(each.id) for each in run_checks() if str(each.id).startswith(prefix)]


def test_the_defaults_pass() -> None:
    assert ids() == []


def test_a_malformed_variable_is_an_error_with_its_name_and_a_hint(settings: Any) -> None:
    settings.OMNIGENT_BAD_VALUES = (BadValue(name="PORT", problem="'x' is not a number", hint="Use 6767."),)

    [found] = [each for each in run_checks() if each.id == "omnigent.E001"]
    assert "PORT" in found.msg
    assert found.hint == "Use 6767."


@pytest.mark.parametrize("host", ["*", "*.example.org", "https://example.org", ".", ""])
def test_wildcards_and_urls_are_no_hosts(settings: Any, host: str) -> None:
    settings.ALLOWED_HOSTS = ["localhost", host]

    assert ids() == ["omnigent.E002"]


@pytest.mark.parametrize("host", ["example.org", ".example.org", "10.0.0.5", "[::1]"])
def test_names_and_addresses_are_hosts(settings: Any, host: str) -> None:
    settings.ALLOWED_HOSTS = [host]

    assert ids() == []


@pytest.mark.parametrize(
    "origin",
    ["*", "example.org", "https://x.example/", "https://*.x.example", "https://a@b", "https://x:y", ""],
)
def test_what_is_no_origin_is_an_error(settings: Any, origin: str) -> None:
    settings.TRUSTED_ORIGINS = (origin,)

    assert ids() == ["omnigent.E003"]


def test_a_short_key_is_an_error_and_a_readable_key_file_a_warning(settings: Any, tmp_path: Path) -> None:
    settings.SECRET_KEY = "short"
    settings.DATA_DIR = tmp_path
    (tmp_path / "secret_key").write_text("x" * 50)
    (tmp_path / "secret_key").chmod(0o644)

    assert ids() == ["omnigent.E004", "omnigent.W001"]
