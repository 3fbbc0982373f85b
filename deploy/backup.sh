#!/bin/sh
# One backup while everything runs: the databases first, then the recordings, so that every row of the dump has its file.
#   /backups/STAMP/transcribe.dump authentik.dump   pg_dump, custom format
#   /backups/STAMP/media.txt                        size and path of every recording, as they were
#   /backups/media/                                 the recordings; a file never changes, so each is copied once
# Temporal's own database is left out: the scheduler starts again whatever it does not know.
set -eu
umask 077
media=${MEDIA_FOLDER:-/media} backups=${BACKUP_FOLDER:-/backups} secrets=${SECRETS_FOLDER:-/run/secrets/postgres}
stamp=$(date -u +%Y-%m-%dT%H%M%SZ)
part=$backups/.$stamp.part
mkdir -p "$part" "$backups/media"

for database in transcribe authentik; do
  PGPASSWORD=$(cat "$secrets/$database") pg_dump --username "$database" --format custom --file "$part/$database.dump" "$database"
done
# What is still arriving is no recording yet, and samples are a cache: neither is kept.
(cd "$media" && find jobs -type f \( -name source -o -name rendition.mp3 \) -printf '%s %p\n' | sort -k 2) >"$part/media.txt"
cut -d ' ' -f 2- "$part/media.txt" | while IFS= read -r path; do
  copy=$backups/media/$path
  [ -e "$copy" ] && continue
  mkdir -p "$(dirname "$copy")"
  if cp -p "$media/$path" "$copy.part"; then
    mv "$copy.part" "$copy"
  elif [ -e "$media/$path" ]; then
    exit 1
  fi # else deleted since it was listed, and its row is gone too
done
mv "$part" "$backups/$stamp"
echo "$backups/$stamp"
