"""The weekly overview of each group of repositories: where they stand, and what changed since the last overview."""
