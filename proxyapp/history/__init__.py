"""The request history: from the workers' journals to the database, and how it is asked for and pruned."""
