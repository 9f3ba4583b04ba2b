#!/bin/sh
# Makes the two databases, each with a role of its own that may do nothing else. PostgreSQL's image runs this once, when
# its volume is new.
set -eu

: "${MLFLOW_DATABASE_PASSWORD:?is not set}" "${OPTUNA_DATABASE_PASSWORD:?is not set}"

make_database() {
    psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="${POSTGRES_USER:-postgres}" --dbname=postgres \
        --set=name="$1" --set=password="$2" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE CONNECT ON DATABASE :"name" FROM PUBLIC;
SQL
}

make_database mlflow "$MLFLOW_DATABASE_PASSWORD"
make_database optuna "$OPTUNA_DATABASE_PASSWORD"
