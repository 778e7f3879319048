"""The messages that travel through the queues."""
