"""How programs manage the gateway: keys, metrics and the description of all paths. Behind Django's own handler."""
