"""Configuration: rows to snapshot, the version poll, and the declarative file."""
