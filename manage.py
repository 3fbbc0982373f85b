#!/usr/bin/env python
"""Django's command line: `up` starts the embedded stack, `transcribe FILE` runs one job from a terminal."""

import os
import sys

from transcribe.embedded import environment


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "transcribe.settings")
    environment.prepare(sys.argv)
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
