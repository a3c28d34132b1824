"""Owns accounts and the double-entry ledger."""
