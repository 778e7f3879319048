"""The weekly overview of each group of repositories: where they stand, and what changed since the last overview.

publishing                          makes the overviews, publishes them, and remembers what they said
overview                            the sums of an overview, and its notices
pages                               the overview as messages of SNS
email, chat, document, wording      the formats of a page
"""
