"""The administration of recordings, for operators: facts, never what was said. What changes anything is a verb.

Rows are evidence: nothing here adds or edits one. Titles are names people gave their files, and shown to those alone
who have the right `jobs.see_titles`; transcripts are shown to nobody.
"""

from django.conf import settings
from django.contrib import admin
from django.utils.translation import gettext_noop

from jobs.admin import recordings, runs, uploads, workers

__all__ = ["recordings", "runs", "uploads", "workers"]

admin.site.site_header = admin.site.site_title = settings.BRAND_NAME
admin.site.enable_nav_sidebar = False  # lists are wide, and the index is one click away

# Sentences of Django's own pages that its German catalogue lacks; ours is asked first.
LACKING = (gettext_noop("- Select an option -"), gettext_noop("Run"))
