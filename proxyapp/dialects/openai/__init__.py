"""What OpenAI's two dialects (Chat Completions and Responses) have in common. No dialect by itself."""
