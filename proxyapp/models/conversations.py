"""What the gateway keeps for callers between their requests: reasoning proofs, and Responses that were stored.

Rows belong to a client by number (0 = callers without a key) and refer to nothing; each has its own end.
"""

from __future__ import annotations

from django.db import models


class RememberedProof(models.Model):
    """The reasoning proofs before one tool call, for callers that return only the call's id."""

    digest = models.CharField(max_length=64, primary_key=True)
    """SHA-256 of client and call id."""
    expires_at = models.DateTimeField()
    proof = models.BinaryField()
    """As `engine.memory` wrote it, compressed."""

    class Meta:
        verbose_name = "remembered reasoning"
        verbose_name_plural = "remembered reasoning"
        default_permissions = ()
        indexes = [models.Index(fields=["expires_at"], name="rememberedproof_end")]

    def __str__(self) -> str:
        return self.digest[:12]
