"""Renders reports and digests: one module per format, and the words that the formats share."""
