"""The report of changes: an image waits in a window of the outbox until it is due, then its group gets a report.

An image that has a reason (`reasons`, `image_report`) waits until its window is due (`when_due`). Then the images of a
group are read (`gathering`), become entries (`combining`) and sums (`groups`, `fixes`), and are published
(`publishing`) as messages (`sns_messages`), in three formats (`email`, `chat`, `document`).
"""
