"""Translate in, call one operation, translate out."""
