"""What clients ask over HTTP: translate in, call one operation, translate out."""
