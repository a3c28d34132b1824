"""The only code that speaks AMQP: signed frames, outbox, relay, inbox, consumer, topology, parked."""
