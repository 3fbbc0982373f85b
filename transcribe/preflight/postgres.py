"""The database: it answers, is new enough, and has the tables of this code, no older and no newer ones."""

from collections.abc import Iterator

from django.db import OperationalError, connection
from django.db.migrations.loader import MigrationLoader

from transcribe.preflight.findings import Finding, failed, ok, warning

OLDEST = 15


def database() -> Iterator[Finding]:
    try:
        connection.ensure_connection()
    except OperationalError as error:
        said = str(error).strip().splitlines()[0]  # psycopg names host, role and cause, never the password
        yield failed(f"The database does not answer: {said}", "Start Postgres, or correct DATABASE_URL.")
        return
    version = int(_shown("server_version_num"))
    if version // 10_000 < OLDEST:
        yield failed(f"Postgres is {said_version(version)}.", f"Use Postgres {OLDEST} or newer.")
    encoding = _shown("server_encoding")
    if encoding != "UTF8":
        yield failed(
            f"The database stores text as {encoding}.", "Create it with ENCODING 'UTF8', and load a dump into it."
        )
    yield from _tables(version)


def said_version(version: int) -> str:
    """180001 as 18.1."""
    return f"{version // 10_000}.{version % 10_000}"


def _tables(version: int) -> Iterator[Finding]:
    loader = MigrationLoader(connection)
    applied, known = set(loader.applied_migrations), set(loader.disk_migrations)
    missing, unknown = (
        sorted(known - applied),
        sorted(name for name in applied - known if name[0] in loader.migrated_apps),
    )
    if missing:
        yield failed(f"{_named(missing)} not applied.", "Run `manage.py migrate`.")
    if unknown:
        yield warning(
            f"{_named(unknown)} applied, and this code does not know it.", "Start the newer version of the code."
        )
    if not missing + unknown:
        yield ok(f"Postgres {said_version(version)} answers, and has this version's tables.")


def _named(migrations: list[tuple[str, str]]) -> str:
    first = ".".join(migrations[0])
    return f"{first} is" if len(migrations) == 1 else f"{len(migrations)} migrations, {first} the first, are"


def _shown(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting(%s)", [name])
        return str(cursor.fetchone()[0])
