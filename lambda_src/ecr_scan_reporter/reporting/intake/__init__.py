"""What came in, and what ECR knows of it."""
