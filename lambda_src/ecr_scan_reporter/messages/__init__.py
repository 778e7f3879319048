"""The messages that travel through the queues, between the functions and from the reporter to itself."""
