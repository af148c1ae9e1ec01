"""The nouns every dialect translates to and from: requests, parts, responses, events. Pure data, no I/O."""
