"""Set-based SQL on the fraud schema: one round trip per step, always in the caller's transaction."""
