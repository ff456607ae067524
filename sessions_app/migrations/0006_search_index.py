"""The trigram index over searchable text: FTS5 on SQLite, pg_trgm on PostgreSQL where it may be had."""

from django.db import migrations

SQLITE = (
    """
    CREATE VIRTUAL TABLE sessions_app_searchindex USING fts5(
      text, content='sessions_app_searchtext', content_rowid='item_id', tokenize='trigram case_sensitive 1'
    )
    """,
    """
    CREATE TRIGGER sessions_app_searchtext_added AFTER INSERT ON sessions_app_searchtext BEGIN
      INSERT INTO sessions_app_searchindex(rowid, text) VALUES (new.item_id, new.text);
    END
    """,
    """
    CREATE TRIGGER sessions_app_searchtext_removed AFTER DELETE ON sessions_app_searchtext BEGIN
      INSERT INTO sessions_app_searchindex(sessions_app_searchindex, rowid, text)
      VALUES ('delete', old.item_id, old.text);
    END
    """,
)

# A role that may not create the extension still gets a server, whose search walks; a check says so.
POSTGRESQL = (
    """
    DO $$ BEGIN
      CREATE EXTENSION IF NOT EXISTS pg_trgm;
      CREATE INDEX search_text_trigrams ON sessions_app_searchtext USING gin (text gin_trgm_ops);
    EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported OR undefined_object THEN
      RAISE NOTICE 'search goes without pg_trgm: %', SQLERRM;
    END $$
    """,
)

REVERSE = {
    "sqlite": (
        "DROP TRIGGER sessions_app_searchtext_added",
        "DROP TRIGGER sessions_app_searchtext_removed",
        "DROP TABLE sessions_app_searchindex",
    ),
    "postgresql": ("DROP INDEX IF EXISTS search_text_trigrams",),
}


def create(apps, schema_editor):
    for statement in {"sqlite": SQLITE, "postgresql": POSTGRESQL}[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


def drop(apps, schema_editor):
    for statement in REVERSE[schema_editor.connection.vendor]:
        schema_editor.execute(statement, params=None)


class Migration(migrations.Migration):
    dependencies = [("sessions_app", "0005_projects_and_search")]

    operations = [migrations.RunPython(create, drop)]
