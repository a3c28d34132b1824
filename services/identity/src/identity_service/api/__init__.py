"""What is asked over HTTP: translate in, call one operation, translate out."""
