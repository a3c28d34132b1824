"""Screens every payment and keeps every decision."""
