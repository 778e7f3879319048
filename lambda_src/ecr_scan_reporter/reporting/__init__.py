"""The reporter and the console widget: the changes in the images of a registry, and how the images stand.

A result (`intake`) is compared with memory (`image_processor`, `comparison`), waits in the outbox, and is published
(`reports`). `overviews`, `export` and `widget` say how the registry stands.

They import nothing of the scanners. They only read in memory how far a run is, and the summary of each repository,
which the scanners left there.
"""
