"""Django's Postgres backend, and idle connections that the web process keeps (`base.py`, where Django looks for it)."""
