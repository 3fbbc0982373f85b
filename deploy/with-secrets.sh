#!/bin/sh
# Runs a program that reads no files of secrets, with their contents in its environment:
#   with-secrets.sh NAME=FILE ... -- PROGRAM ...
# So the values stand neither in compose.yml nor in what `docker inspect` shows.
set -eu
while [ "$1" != -- ]; do
  value=$(cat "${1#*=}")
  export "${1%%=*}=$value"
  shift
done
shift
exec "$@"
