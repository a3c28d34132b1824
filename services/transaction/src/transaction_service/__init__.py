"""Owns the payment and alone decides its state."""
