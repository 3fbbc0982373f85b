"""`manage.py preflight`: what this process needs, looked at before it is started."""

import json
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from transcribe.preflight.findings import Finding, Result, looked
from transcribe.preflight.looks import ALL, ROLES, looks

type Found = Sequence[tuple[str, Finding]]


class Command(BaseCommand):
    help = "Look at all that a process of this service needs. Changes nothing; exit code 1 when something has failed."
    requires_system_checks = []  # their findings are among ours, beside the others

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--role", choices=ROLES, default=ALL, help="which process is meant (%(default)s)")
        parser.add_argument("--gpu", action="store_true", help="fail where torch sees no GPU")
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *args: Any, role: str, gpu: bool, **options: Any) -> None:
        found: list[tuple[str, Finding]] = []
        for name, finding in looked(looks(role, gpu=gpu)):
            found.append((name, finding))
            if not options["json"]:
                self.stdout.write(_line(name, finding))
        if options["json"]:
            self.stdout.write(as_json(role, found))
        failures = sum(finding.result == Result.FAILED for _, finding in found)
        if failures:
            raise CommandError(f"{failures} failed.")


def _line(name: str, finding: Finding) -> str:
    mend = f"\n{'':9}To mend it: {finding.fix}" if finding.fix else ""
    return f"{finding.result:8} {name}: {finding.said}{mend}"


def as_json(role: str, found: Found) -> str:
    """{"role", "counts": {result: n}, "findings": [{"check", "result", "said", "fix"}]}"""
    counts = Counter(finding.result for _, finding in found)
    listed = [{"check": n, "result": f.result, "said": f.said, "fix": f.fix} for n, f in found]
    return json.dumps({"role": role, "counts": {each: counts[each] for each in Result}, "findings": listed}, indent=2)
