from typing import Any

from django.db import migrations, models

OPEN = ["queued", "running", "cancelling"]


def say_since_when(apps: Any, schema_editor: Any) -> None:
    """Of recordings that were there before: since their last run ended."""
    job, run = apps.get_model("jobs", "Job"), apps.get_model("jobs", "Run")
    of_job = run.objects.filter(job=models.OuterRef("pk")).order_by()
    ended = of_job.values("job").annotate(at=models.Max("finished_at")).values("at")
    rested = job.objects.exclude(models.Exists(of_job.filter(state__in=OPEN)))
    rested.update(idle_since=models.Subquery(ended))


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0006_heard_in_detail'),
    ]

    operations = [
        migrations.AddField(
            model_name='job',
            name='idle_since',
            field=models.DateTimeField(null=True, verbose_name='at rest since'),
        ),
        migrations.RunPython(say_since_when, migrations.RunPython.noop),
        migrations.AddIndex(
            model_name='job',
            index=models.Index(condition=models.Q(('protected', False)), fields=['idle_since', 'id'], name='jobs_job_not_kept'),
        ),
    ]
