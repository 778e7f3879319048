"""Finds the image that an image replaces, and what is known of it, in memory and in ECR."""

from contextlib import suppress

from ecr_scan_reporter.aws.ecr import EcrRegistry
from ecr_scan_reporter.errors import ImageNotFoundError, RepositoryNotFoundError
from ecr_scan_reporter.memory.images import ImageMemory
from ecr_scan_reporter.memory.pushes import PushedImage, PushedImages
from ecr_scan_reporter.models.images import ImageId
from ecr_scan_reporter.reporting.baseline import Baseline, known_findings
from ecr_scan_reporter.reporting.comparison.predecessors import candidates, inherited_successors, siblings


def find_link(
    image: ImageId, pushed: PushedImage, memory: ImageMemory, pushes: PushedImages, ecr: EcrRegistry
) -> Baseline:
    """Find the baseline of an image: one query, and one read of the candidates; more calls only in rare cases.

    Args:
        pushed: the same, with the findings of its first scan.
        memory: of the images.
        pushes: the images of repositories that were pushed last.

    Raises:
        AwsError: DynamoDB or ECR rejected a call.
    """
    others = pushes.others(image)
    found, successors = candidates(pushed, others), inherited_successors(pushed, others)
    wanted = {image._replace(digest=other.digest): None for other in (found.replaced, *found.alike) if other}
    remembered = memory.read_many(wanted) if wanted else {}

    def link_to(replaced: PushedImage) -> Baseline:
        predecessor = image._replace(digest=replaced.digest)
        known, own = remembered[predecessor], {replaced.digest, *siblings(replaced, others)}
        earlier = tuple(other for other in others if other.digest in own and other.order < pushed.order)
        return Baseline(
            known_findings(known), record=known.record, predecessor=predecessor, replaced=earlier, successors=successors
        )

    # The item of an image may have been damaged or removed.
    if found.replaced and remembered[image._replace(digest=found.replaced.digest)].record.revision:
        return link_to(found.replaced)
    for alike in found.alike:
        known = remembered[image._replace(digest=alike.digest)]
        findings = known_findings(known)
        if findings is None:
            continue
        # It may have a tag by now that no scan has seen.
        with suppress(ImageNotFoundError, RepositoryNotFoundError):
            tags = ecr.image(image.repository, alike.digest).tags
            if set(tags) - set(alike.tags) and candidates(pushed, [alike._replace(tags=tags)]).replaced:
                return link_to(alike)
        return Baseline(record=known.record, known_here=findings, successors=successors)
    return Baseline(successors=successors)
