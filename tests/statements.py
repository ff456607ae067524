"""Which statements a budget counts: not transaction control, of which a bare row lock is a part."""

LOCK = 'SELECT "sessions_app_session"."id" AS "pk" FROM "sessions_app_session" WHERE'
"""Takes row locks and reads nothing; only PostgreSQL needs a statement for that."""
CONTROL = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT", "ROLLBACK", LOCK)
