"""What the notification service can do: one use case a file, in the caller's transaction, without network."""
