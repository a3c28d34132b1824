"""Hands the migrations to the runner that every service shares."""

from service_kit.migrations import run_env

run_env()
