"""The page of the registry on the CloudWatch dashboard."""
