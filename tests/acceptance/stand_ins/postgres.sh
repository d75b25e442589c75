#!/bin/bash
# Prepares an empty data folder once, then serves everybody who knows the password, as the official image does.
set -euo pipefail
as_postgres=(setpriv --reuid=postgres --regid=postgres --clear-groups --)

if [ ! -s "$PGDATA/PG_VERSION" ]; then
  install --directory --owner=postgres --group=postgres --mode=700 /var/lib/postgresql "$PGDATA"
  install --owner=postgres --mode=600 /dev/null /tmp/password
  printf '%s' "$POSTGRES_PASSWORD" > /tmp/password
  "${as_postgres[@]}" initdb --username="$POSTGRES_USER" --pwfile=/tmp/password \
    --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 --no-locale
  rm /tmp/password
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  # Nobody else may reach it before its database is there.
  "${as_postgres[@]}" pg_ctl --options="-c listen_addresses='' -c unix_socket_directories=/tmp" --wait start
  "${as_postgres[@]}" createdb --host=/tmp --username="$POSTGRES_USER" "$POSTGRES_DB"
  "${as_postgres[@]}" pg_ctl --mode=fast --wait stop
fi
exec "${as_postgres[@]}" "$@" -c listen_addresses='*' -c unix_socket_directories=/tmp
