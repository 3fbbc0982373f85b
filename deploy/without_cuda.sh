#!/bin/sh
# Brings the worker's packages, as locked, without torch's CUDA libraries, and torch itself from an index of CPU builds.
set -eu
uv export --locked --no-default-groups --group worker --no-hashes --no-emit-project >/tmp/locked.txt
gpu=$(sed -nE 's/^((nvidia|cuda)-[a-z0-9-]+|triton|torch)==.*/\1/p' /tmp/locked.txt)
version=$(sed -nE 's/^torch==([0-9.]+).*/\1/p' /tmp/locked.txt)
for package in $gpu; do
  set -- "$@" --no-install-package "$package"
done
index=$1
shift
uv sync --locked --no-default-groups --group worker "$@"
# aarch64 has no `+cpu` in its version; the index holds builds for the CPU alone.
uv pip install --no-deps --index-url "$index" "torch==$version"
rm /tmp/locked.txt
