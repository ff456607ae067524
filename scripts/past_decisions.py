"""Write decisions of the last two weeks into the log of a server that is there to be photographed.

`python -m scripts.past_decisions`, with the environment of that server.
"""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import django
from django.db import transaction

SEED = 7
DAYS = 14
SAID = (
    ("deny", "blast_radius", "git push --force rewrites what others have", "Bash"),
    ("deny", "no_deploy_skills", "The skill 'deploy' is blocked here", "load_skill"),
    ("ask", "ask_on_os_tools", "An OS-level tool is about to run", "sys_os_shell"),
    ("allow", "", "", "sys_session_send"),
)
WEIGHTS = (3, 2, 10, 24)
BUSY = (10, 22)


def main() -> None:
    """Into the database that the environment names."""
    django.setup()
    from policies_app.services import decisions  # noqa: PLC0415  # needs the models
    from policies_app.services.inputs import digest_of  # noqa: PLC0415  # needs the models

    rows = [decisions.NewDecision(**row, input_digest=digest_of(row)) for row in past()]
    with transaction.atomic():
        decisions.append(rows)


def past() -> Iterator[dict[str, Any]]:
    """Columns of decisions, the oldest first."""
    chance = random.Random(SEED)
    now = datetime.now(tz=UTC)
    for days in range(DAYS - 1, 0, -1):
        day = now - timedelta(days=days)
        for _ in range(chance.randint(*BUSY) * (1 if day.weekday() > 4 else 3)):
            verdict, policy, reason, target = chance.choices(SAID, WEIGHTS)[0]
            yield {
                "created_at": day,
                "phase": "tool_call",
                "verdict": verdict,
                "target": target,
                "reason": reason,
                "policy_name": policy,
                "policy_id": f"pol_{policy}" if policy else "",
                "level": "server" if policy else "none",
                "latency_us": chance.randint(40, 900),
            }


if __name__ == "__main__":
    main()
