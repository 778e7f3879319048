"""The daily pass over memory: finds the images in which something is due without an event, and those alone."""
