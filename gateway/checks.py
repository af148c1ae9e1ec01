"""Misconfiguration as Django system checks, each a sentence. `serve` stops at an Error."""
