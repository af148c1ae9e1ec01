"""Signals of this application."""

from django.dispatch import Signal

rows_changed = Signal()
"""Sent with `sender=<model>` after a bulk write, inside its transaction; Django itself sends nothing for those."""
