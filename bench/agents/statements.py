"""`python -m bench.agents.statements PATH...`: the statements that reading each path takes, as JSON."""

import json
import os
import sys

import django
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.statements import CONTROL


def main() -> None:
    """Count on the store that the environment names; the second read of each, as a server in use has it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "omnigent.settings")
    django.setup()
    client = Client(SERVER_NAME="127.0.0.1")
    numbers = []
    for path in sys.argv[1:]:
        client.get(path)
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(path)
        assert answer.status_code == 200, answer.content
        numbers.append(sum(not row["sql"].startswith(CONTROL) for row in captured.captured_queries))
    sys.stdout.write(json.dumps(numbers))


if __name__ == "__main__":
    main()
