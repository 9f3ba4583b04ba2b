#!/bin/sh
# Writes docker/.env with fresh secrets, readable by its owner only; leaves one that is there as it is.
set -eu
umask 077
file="$(dirname "$0")/.env"
if [ -e "$file" ]; then
    echo "$file is there already; to make new secrets, move it away (the volumes keep the old ones)" >&2
    exit 1
fi

random() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

{
    echo "POSTGRES_PASSWORD=$(random 24)"
    echo "MLFLOW_DATABASE_PASSWORD=$(random 24)"
    echo "OPTUNA_DATABASE_PASSWORD=$(random 24)"
    echo "MLFLOW_ADMIN_PASSWORD=$(random 24)"
    echo "MLFLOW_SECRET_KEY=$(random 32)"
    echo "STORE_RPC_SECRET=$(random 32)"
    echo "STORE_ACCESS_KEY=GK$(random 16)"
    echo "STORE_SECRET_KEY=$(random 32)"
} >"$file.new"
mv "$file.new" "$file"
echo "wrote $file"
