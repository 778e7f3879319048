"""The page of the registry on the CloudWatch dashboard.

console              answers a call: reads the state of the registry, or of one repository and its `images`
html, style          render the page
"""
