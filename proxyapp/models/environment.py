"""What `bootstrap` made of the environment when it last ran: how it tells a changed variable from a changed row."""

from __future__ import annotations

import secrets

from django.db import models

ROW = 1


def fresh_salt() -> str:
    return secrets.token_hex(16)


class AppliedEnvironment(models.Model):
    """One row, id 1. No configuration: nothing is read from here to serve requests."""

    salt = models.CharField(max_length=32, default=fresh_salt, editable=False)
    """Of the digests of secrets."""
    applied = models.JSONField(default=dict, editable=False)
    """`upstream env-openai key OPENAI_API_KEY` -> column -> the value that was set, of a secret its digest."""
    rows = models.JSONField(default=dict, editable=False)
    """`upstream` -> names of what it wanted last."""
    slots = models.JSONField(default=dict, editable=False)
    """What the environment names -> the name of the model that has it now."""

    class Meta:
        constraints = [models.CheckConstraint(condition=models.Q(id=ROW), name="appliedenvironment_one_row")]

    def __str__(self) -> str:
        return f"{len(self.applied)} rows"
