"""The demo checkpoint: a tiny Whisper that knows espeak-ng's English and German, and what made it."""
