#!/bin/sh
# The namespace of our workflows. Finished ones are kept for three days: all that people see is in our own database.
set -eu
temporal operator namespace describe -n "$TEMPORAL_NAMESPACE" >/dev/null 2>&1 ||
  temporal operator namespace create -n "$TEMPORAL_NAMESPACE" --retention 72h
