"""What an account is and what may be posted to it: pure values and functions, no database, no framework."""
