"""The reporter and the console widget say what changed in the images of a registry, and how they stand.

What came in (`intake`) is compared with memory (`image_processor`, `comparison`), waits in the outbox, and is published
(`reports`). `overviews`, `export` and `widget` say how the registry stands.

They import nothing of the scanners. They read in memory what these left there: how far a run is, and the summary of
each repository.
"""
