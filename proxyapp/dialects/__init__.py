"""The languages callers and upstreams speak. Each folder knows itself and the neutral `ir`, never another dialect."""
