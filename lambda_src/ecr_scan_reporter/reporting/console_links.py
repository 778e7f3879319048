"""Links to the AWS console."""

from urllib.parse import quote, urlencode

from ecr_scan_reporter.models.images import ImageId

# The console's host by partition; the consoles of other partitions are not public.
_CONSOLE_HOSTS = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}


def image_console_url(partition: str, image: ImageId) -> str:
    """Return the URL of an image in the ECR console; "" if the partition's console is not known."""
    host = _CONSOLE_HOSTS.get(partition)
    if host is None:
        return ""
    path = "/".join(quote(part, safe="") for part in (image.account, *image.repository.split("/")))
    query = urlencode({"region": image.region})
    subdomain, digest = quote(image.region, safe=""), quote(image.digest)
    return f"https://{subdomain}.{host}/ecr/repositories/private/{path}/_/image/{digest}/scan-results?{query}"
