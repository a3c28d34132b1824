"""Set-based SQL on the service's own schema; one round trip a function, nothing decided here."""
