"""The only code that reaches out: it asks other services what they would decide, and bears with silence."""
