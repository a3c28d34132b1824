"""What every process needs: database, problems, auth, settings, telemetry, health, lifecycle, clock."""
