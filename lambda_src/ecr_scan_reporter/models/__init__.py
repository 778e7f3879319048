"""Domain values that every layer shares."""
