"""The command line: up, down, status, logs, demo, import, verify, parked, redrive, topology."""
