"""What changed between two scans. It reads and writes nothing."""
