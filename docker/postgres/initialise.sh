#!/bin/sh
# Run once by the image of Postgres, when its data folder is empty.
set -eu
psql --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
  --set owner_password="$OWNER_PASSWORD" --set log_password="$LOG_PASSWORD" \
  --set views_password="$VIEWS_PASSWORD" --set state_password="$STATE_PASSWORD" --file /etc/paystream/roles.sql
