"""Makes the calls to AWS, except that of `catalog.download`, and holds what CloudWatch and Lambda expect."""
