"""The tables of the notification schema: set-based statements on a connection, one round trip each."""
