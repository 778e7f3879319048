"""The parts of the images scanner: which images are due, and calls at the rate that ECR allows.

Each repository is scanned by itself (`images_scanner.RepositoryScan`): its images are selected (`selection`), those
whose last scan memory does not settle (`known_scans`) are looked up, and the scans that are due (`decisions`) are
started, at the rate that ECR allows (`rate_limiter`), until the daily quota is used up (`quota`). The sums over
its images are remembered for the next run.

No decision depends on findings.

Memory owns the findings: it sums them up while the images are read from it, and tells which images have their deadlines
back, as ECR no longer lists the image that had taken them over. A run writes those sums as metrics.
"""
