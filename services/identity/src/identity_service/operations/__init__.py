"""What the service does, one use case a file: load, decide, save; never commits, no network."""
