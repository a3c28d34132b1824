"""Set-based loading and saving of payments; one round trip a step."""
