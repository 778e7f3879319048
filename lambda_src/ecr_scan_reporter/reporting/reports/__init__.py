"""The report of changes: an image waits in a window of the outbox until it is due, then its group gets a report.

reasons                             why an image is reported
image_report                        the report of one image, which waits in the outbox
when_due                            when a window is due
publishing                          its way to the topics
gathering                           what waits in the outbox, by group
combining                           what becomes one entry: scans of one image, and platforms that say the same
groups, fixes                       the images of one group, what they add up to, and what to install first
sns_messages                        the report as messages of SNS, with subjects and attributes
email, chat, document, wording      the formats of a page
"""
