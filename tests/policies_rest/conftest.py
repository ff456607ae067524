"""Catalogues with other modules and config files than the server's own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps

from policies_app.catalogue import Catalogue, build_catalogue

Build = Callable[..., Catalogue]


@pytest.fixture
def configured(tmp_path: Path) -> Iterator[Build]:
    """Gives this process a catalogue made of a config file's text and modules, until the test is over."""
    config: Any = apps.get_app_config("policies_app")
    own = config.catalogue

    def build(text: str = "", **options: Any) -> Catalogue:
        file = tmp_path / "policies.yaml"
        file.write_text(text)
        config.catalogue = build_catalogue(config_file=str(file) if text else "", **options)
        found: Catalogue = config.catalogue
        return found

    yield build
    config.catalogue = own
