"""Who: people and service accounts. An identity provider knows them by (issuer, subject), never by e-mail."""

from django.contrib.auth.models import AbstractUser
from django.db import models


class User(AbstractUser):
    issuer = models.CharField(max_length=255, blank=True)  # empty: a local account with a password
    subject = models.CharField(max_length=255, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["issuer", "subject"], condition=~models.Q(subject=""), name="one_user_for_each_subject"
            )
        ]
