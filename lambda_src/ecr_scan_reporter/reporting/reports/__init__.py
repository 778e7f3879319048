"""The report of changes: an image waits in a window of the outbox until it is due, then its group gets a report.

image_report                        the report of one image, which waits in the outbox
publishing                          when a window is due, and its way to the topics
gathering                           what waits in the outbox: how several scans of an image become one entry
groups                              the images of one group, and what they add up to
pages                               the report as messages of SNS
email, chat, document, wording      the formats of a page
"""
