"""Settings of the plumbing's own server process: the project without its applications."""

import os

from tests.settings import *  # noqa: F403 - settings are read as attributes of this module
from tests.settings import DATABASES, INSTALLED_APPS

INSTALLED_APPS = [name for name in INSTALLED_APPS if not name.endswith("_app")]
ROOT_URLCONF = "tests.api_plumbing.views"
if name := os.environ.get("PROBE_DATABASE"):
    DATABASES["default"]["NAME"] = name
