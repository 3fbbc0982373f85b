"""Django's Postgres backend. The web process keeps a few connections for its next requests.

Under ASGI each request runs on a thread of its own, so CONN_MAX_AGE keeps connections that nobody finds again. Django's
own pool (psycopg_pool) answers badly when Postgres comes back: with six idle connections that had died the next request
waited 5 s and failed, and while Postgres is away each waits for its limit. Here a request takes a sound connection or
makes one, as without any of this, and nobody waits for others to give one back.
"""

from typing import Any

from django.db.backends.postgresql import base
from django.db.backends.postgresql.psycopg_any import IsolationLevel
from psycopg import Connection, Error
from psycopg.pq import TransactionStatus


class Idle:
    """Connections nobody uses, the last one given back first. `most`: 0 keeps none, which is right for every process
    but the web's: a worker's session holds the scheduler's lock, which ends with the connection."""

    def __init__(self) -> None:
        self.most = 0
        self._kept: list[Connection[Any]] = []

    def take(self) -> Connection[Any] | None:
        """One that answers. Where one does not, Postgres was restarted or is away: the others are closed, too."""
        if (found := self._last()) is None:
            return None
        try:
            found.execute("")
        except Error:
            found.close()
            self.clear()
            return None
        return found

    def put(self, connection: Connection[Any]) -> bool:
        """Whether it was kept: not in the middle of a transaction, and not one more than `most`."""
        sound = connection.info.transaction_status == TransactionStatus.IDLE and connection.autocommit
        if not sound or len(self._kept) >= self.most:
            return False
        self._kept.append(connection)
        return True

    def clear(self) -> None:
        while (found := self._last()) is not None:
            found.close()

    def _last(self) -> Connection[Any] | None:
        try:
            return self._kept.pop()
        except IndexError:
            return None


idle = Idle()


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        kept = idle.take()
        if kept is None:
            return super().get_new_connection(conn_params)
        self.isolation_level = IsolationLevel.READ_COMMITTED  # as Django's sets it for a new one
        return kept

    def _close(self) -> None:
        if self.connection is not None and not idle.put(self.connection):
            with self.wrap_database_errors:
                self.connection.close()
