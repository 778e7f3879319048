"""How many days each kind of item is kept after its last write."""

from datetime import timedelta

# The last write of an image is usually its last scan: its items are kept for longer than most promised ages, because
# images that are monitored continuously may have no scan for months.
IMAGE = timedelta(days=400)
PUSH = timedelta(days=400)
INDEX = timedelta(days=400)
RULE_USE = timedelta(days=400)
RUN = timedelta(days=7)
LOST_EVENT = timedelta(days=400)
# Of everything that waits to be published.
OUTBOX = timedelta(days=60)
# SQS keeps no message that repeats or continues an export for longer.
EXPORT = timedelta(days=30)
# Of every other item that expires: a run, or an overview, writes it anew.
OTHER = timedelta(days=400)
