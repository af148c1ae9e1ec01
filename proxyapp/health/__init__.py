"""What is out, shared: among workers, over restarts, and with the console."""
