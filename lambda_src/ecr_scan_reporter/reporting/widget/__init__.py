"""The parts of the console widget's page: its images, its HTML and its colors."""
