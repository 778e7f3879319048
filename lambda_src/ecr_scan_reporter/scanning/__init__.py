"""Decides which images to scan, and starts those scans; no decision depends on findings.

A run queues the repositories (`runs`); a pass is complete when all of them were processed (`passes`, `heartbeat`). Each
is then scanned by itself (`repository`): its images are listed (`listing`), those whose last scan memory does not know
are looked up, and the scans that are due are started (`known_scans`, `decisions`, `calls`). The next run knows the sums
over its images (`standing`).

Memory owns the findings: it sums them up while the images are read from it, and says which images have a deadline that
has passed. A run writes those sums as metrics.
"""
