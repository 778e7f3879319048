"""Holds every call of AWS, and what CloudWatch and Lambda expect of a function."""
