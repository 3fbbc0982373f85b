#!/bin/sh
# Brings Temporal's two databases to the schema of this version of the tools. Safe to run at each start.
set -eu
versions=/etc/temporal/schema/postgresql/v12

bring() { # DATABASE FOLDER
  tool() { temporal-sql-tool --plugin postgres12 --ep "$POSTGRES_SEEDS" -p "$DB_PORT" -u "$POSTGRES_USER" --db "$@"; }
  tool "$1" setup-schema -v 0.0
  tool "$1" update-schema -d "$versions/$2/versioned"
}

bring temporal temporal
bring temporal_visibility visibility
