"""For tests only: real Postgres and RabbitMQ, builders, eventually()."""
