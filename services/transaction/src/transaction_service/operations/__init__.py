"""One use case a file: load, decide, save, tell. None commits; none reaches the network."""
