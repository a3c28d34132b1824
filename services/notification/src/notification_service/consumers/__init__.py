"""Messages in: translate, call one operation."""
