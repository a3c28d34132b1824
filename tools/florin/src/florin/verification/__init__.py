"""Checking, from the data alone, what must always hold (ARCHITECTURE.md): one module a group of checks."""
