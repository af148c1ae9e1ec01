"""The kinds of servers the gateway can call: URL, headers, credentials, quirks. One small file a kind."""
