"""Runs transaction's revisions on the connection that the service's `migrate` holds."""

from service_kit.migrations import run_env

run_env()
