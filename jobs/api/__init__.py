"""The REST API for scripts: bearer tokens alone, so no request rides on a session. `transcribe/api.py` serves it."""
