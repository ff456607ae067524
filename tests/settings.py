"""Settings of the test runs: SQLite in a file of its own, or the database of TEST_DATABASE_URL."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

if "TEST_DATA_DIR" not in os.environ:
    os.environ["TEST_DATA_DIR"] = tempfile.mkdtemp(prefix="omnigent-tests-")
    atexit.register(shutil.rmtree, os.environ["TEST_DATA_DIR"], ignore_errors=True)
os.environ["DATA_DIR"] = os.environ["TEST_DATA_DIR"]
os.environ["SECRET_KEY"] = "a key for tests only, long enough for every check"
if url := os.environ.get("TEST_DATABASE_URL"):
    os.environ["DATABASE_URL"] = url
else:
    os.environ.pop("DATABASE_URL", None)

from omnigent.settings import *  # noqa: F403  # the environment above must be set before it is read
from omnigent.settings import DATA_DIR, DATABASES, INSTALLED_APPS

if not url:
    # A file, not memory: pool threads have connections of their own. pytest-django adds the xdist worker.
    DATABASES["default"]["TEST"] = {"NAME": str(Path(DATA_DIR) / "test.sqlite3")}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
INSTALLED_APPS = [*INSTALLED_APPS, "tests.emptying"]
