"""The report of changes: an image waits in a window of the outbox until it is due, then its group gets a report.

reasons, image_report, combine, encoding      what waits of one image, and how several scans of it become one
windows, publishing                           when a window is due, and its way to the topics
waiting, grouping                             what a report says: the images of one group
page, pages                                   the report as messages of SNS
email, chat, document, wording                the formats of a page
"""
