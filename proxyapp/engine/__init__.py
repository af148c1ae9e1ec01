"""Makes the call: routing, attempts, streaming, limits. Async, and free of Django."""
