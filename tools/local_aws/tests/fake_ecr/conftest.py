"""A registry with one image, and a way to call its API that checks each answer against botocore's model of ECR."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator
from local_aws.fake_ecr import AwsError, EcrApi, FakeImage, FakeRegistry, FakeRepository, digest_of

Call = Callable[..., dict[str, Any]]


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 9, 14, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **duration: float) -> None:
        self.now += timedelta(**duration)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry(clock: Clock) -> FakeRegistry:
    registry = FakeRegistry(clock=clock)
    image = FakeImage(digest_of("web"), ("latest", "1.0"), pushed_at=clock.now - timedelta(days=3))
    registry.add("team/web", [image])
    return registry


@pytest.fixture
def repository(registry: FakeRegistry) -> FakeRepository:
    return registry.repository("team/web")


@pytest.fixture(scope="session")
def shapes() -> Any:
    return botocore.session.Session().get_service_model("ecr")


@pytest.fixture
def call(registry: FakeRegistry, shapes: Any) -> Call:
    """Calls an operation on repository team/web and its one image, unless parameters name others."""
    api, validator = EcrApi(registry), ParamValidator()

    def call(operation: str, **params: Any) -> dict[str, Any]:
        model = shapes.operation_model(operation)
        names = model.input_shape.members
        if "repositoryName" in names:
            params = {"repositoryName": "team/web", **params}
        if "imageId" in names:
            params = {"imageId": {"imageDigest": digest_of("web")}, **params}
        answer = api.call(operation, params)
        for value, shape in ((params, model.input_shape), (answer, model.output_shape)):
            report = validator.validate(value, shape)
            assert not report.has_errors(), report.generate_report()
        return answer

    return call


@pytest.fixture
def error_of(call: Call) -> Callable[..., tuple[str, str]]:
    """Calls an operation that ECR rejects; returns the code and the message."""

    def error_of(operation: str, **params: Any) -> tuple[str, str]:
        with pytest.raises(AwsError) as caught:
            call(operation, **params)
        return caught.value.code, caught.value.message

    return error_of
