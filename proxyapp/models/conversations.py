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


class StoredResponse(models.Model):
    """One turn of a conversation that a Responses caller wants kept. The turns before it are its ancestors."""

    digest = models.CharField(max_length=64)
    """SHA-256 of client and response id. An upstream may give an id twice: the latest row counts, and each row's own
    ancestors are told by number."""
    client_id = models.BigIntegerField()
    parent_id = models.BigIntegerField(null=True)
    """The turn before; the number of a row that is gone breaks the conversation."""
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    """Moves on with every turn that follows."""
    content = models.BinaryField()
    """An `engine.conversation.Turn`: what was sent, and the answer as the caller got it; compressed."""

    class Meta:
        verbose_name = "stored response"
        default_permissions = ()
        indexes = [
            models.Index(fields=["digest", "-id"], name="storedresponse_digest"),
            models.Index(fields=["expires_at"], name="storedresponse_end"),
        ]

    def __str__(self) -> str:
        return str(self.pk)


class StoredItem(models.Model):
    """Where to find one item of a stored answer, for references to it."""

    digest = models.CharField(max_length=64)
    """SHA-256 of client and item id."""
    response = models.ForeignKey(StoredResponse, on_delete=models.CASCADE)

    class Meta:
        default_permissions = ()
        indexes = [models.Index(fields=["digest"], name="storeditem_digest")]

    def __str__(self) -> str:
        return self.digest[:12]
