"""The console widget's page: the list of a repository's images, the HTML, and the colors."""
