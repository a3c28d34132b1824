"""Feeding accounts and payments from CSV files, so that a file given twice moves nothing twice."""

# Lines in one request, requests at once, and how long an outage or a standstill is waited out.
CHUNK = 500
IN_FLIGHT = 4
PATIENCE_S = 300.0
