"""Checking, from the data alone, what must always hold (ARCHITECTURE.md): one module a group of checks."""

# How long outboxes and queues are given to become empty before they are judged.
SETTLE_S = 10.0
