"""The product's settings with one more route: what its process holds at the moment."""

from omnigent.settings import *  # noqa: F403 - a settings module is the sum of its names

ASGI_APPLICATION = "bench.soak.asgi.application"
