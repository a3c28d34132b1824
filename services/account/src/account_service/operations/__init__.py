"""What the service does, one use case a file: load, decide, save, tell; never commits, no network."""
