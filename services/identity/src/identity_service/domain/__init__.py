"""What a client, a key and a token are: pure values and functions, no database, no framework."""
