"""The weekly overview of the registry."""
