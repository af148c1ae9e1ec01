"""The files of other gateways as declarative documents, each with a report of what was taken and what was not."""
