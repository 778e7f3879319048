"""The weekly overview of each group of repositories: where they stand, and what changed since the last overview.

publishing                          makes the overviews and their messages, publishes them, and remembers what they said
overview                            the sums of an overview, and its notices
email, chat, document, wording      the formats of a page
"""
