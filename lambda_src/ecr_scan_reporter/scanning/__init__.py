"""Decides which images to scan, and starts those scans; no decision depends on findings.

A run queues the repositories (`runs`). Each is then scanned by itself (`repository`): its images are selected
(`images`), those whose last scan memory does not know (`known_scans`) are looked up, and the scans that are due are
started, at the rate that ECR allows (`calls`). The next run knows the sums over its images. `dry_run` says what a run
would do, and starts nothing.

Memory owns the findings: it sums them up while the images are read from it, and says which images have a deadline that
has passed. A run writes those sums as metrics.
"""
