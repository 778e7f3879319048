"""The reporter and the console widget: says what changed in the images of a registry, and how they stand.

    intake/            what came in, and what ECR knows of it
    comparison/        what a scan changed
    reports/           the report of changes: what waits, who gets it, how it reads
    overviews/         the weekly overview: how the registry stands, and what changed since the last one
    export/            what is open, as files
    widget/            the page on the CloudWatch dashboard
    daily_pass         what is due without an event
    image_processor    one image: read its scan, compare it, decide whether to report it, remember it
    looks              the findings of an image read again, or a result of which no event came
    baseline           the findings that are remembered, and what a scan is compared with
    predecessor_search the image that an image replaces
    dependencies       the settings and clients of the reporter
    registry_state     the sums that overviews and the widget share
    paging             splits the entries of a report or an overview into messages that SNS accepts
    chat_notification  what a message in chat is
    console_links      links to the AWS console
    formatting         words, dates and numbers of every message and the widget

It imports nothing of the scanners. It reads in memory what they left there: how far a run is, and the summary of each
repository.
"""
