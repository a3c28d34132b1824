"""One use case a file: load, decide, save, tell. Never commits, never touches the network."""
