#!/bin/sh
# Run once by the image of Postgres, when its folder is empty: a role and a database for each service, closed to others.
set -eu
folder=${SECRETS_FOLDER:-/run/secrets/postgres}

make() { # ROLE DATABASE
  psql -v ON_ERROR_STOP=1 -v role="$1" -v database="$2" --username "$POSTGRES_USER" --dbname postgres <<SQL
\set password \`cat "$folder/$1"\`
SELECT format('CREATE ROLE %I LOGIN', :'role') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
ALTER ROLE :"role" PASSWORD :'password';
CREATE DATABASE :"database" OWNER :"role";
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
SQL
}

make transcribe transcribe
make temporal temporal
make temporal temporal_visibility
make authentik authentik
