"""OAuth tokens kept fresh: one refresh at a time whoever runs, and no rotated refresh token lost."""
