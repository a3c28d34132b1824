"""Translate messages into operations."""
