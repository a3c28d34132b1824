"""What this service hears: each message is translated, handed to one operation, and nothing more."""
