"""What is plugged into LocalStack: imported there alone."""
