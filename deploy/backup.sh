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
  [ -e "$backups/media/$path" ] && continue
  mkdir -p "$backups/media/$(dirname "$path")"
  # Deleted since it was listed: its row is gone too.
  cp -p "$media/$path" "$backups/media/$path.part" 2>/dev/null && mv "$backups/media/$path.part" "$backups/media/$path" || rm -f "$backups/media/$path.part"
done
mv "$part" "$backups/$stamp"
echo "$backups/$stamp"
