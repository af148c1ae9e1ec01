"""What is kept for callers between their requests, in the database."""
