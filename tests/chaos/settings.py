"""The product's settings with a database engine and an ASGI application that watch for the armed point."""

from omnigent.settings import *  # noqa: F403 - a settings module is the sum of its names
from omnigent.settings import DATABASES as PLAIN_DATABASES

DATABASES = {"default": {**PLAIN_DATABASES["default"], "ENGINE": "tests.chaos.engine"}}
ASGI_APPLICATION = "tests.chaos.asgi.application"
