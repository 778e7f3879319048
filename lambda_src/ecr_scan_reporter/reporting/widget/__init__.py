"""The parts of the console widget's page.

images               the images of a repository
html, style          render the page
"""
