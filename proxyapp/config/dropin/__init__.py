"""What earlier gateways left in the environment, as upstreams, models and a client's key (docs/drop-in.md)."""
