"""SQL on the service's own schema, and the keys that seal what is kept there; nothing decided here."""
