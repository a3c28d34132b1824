"""What other services ask of this one: translate in, call one operation."""
