"""The component that sends webhooks: claims what is due, sends it, records what came."""
