"""Tells upstream systems what became of their payments."""
