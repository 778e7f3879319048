"""Holds every boto3 call and every AWS wire format."""
