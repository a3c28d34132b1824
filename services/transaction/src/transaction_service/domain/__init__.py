"""What a payment is and may do. Pure: no framework, no clock, no database."""
