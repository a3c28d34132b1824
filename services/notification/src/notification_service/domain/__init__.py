"""What a webhook is: endpoints, deliveries, signatures, the retry schedule and where we may connect. Pure."""
