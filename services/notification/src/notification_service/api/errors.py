"""How the domain's errors are told to clients."""

from typing import Final

from service_kit.field_errors import FieldError
from service_kit.problems import ErrorMap, Problem, not_found

from notification_service.domain.delivery import DeliveryInProgress, DeliveryNotFound
from notification_service.domain.endpoint import (
    EndpointExists,
    EndpointNotActive,
    EndpointNotFound,
    TooManyEndpoints,
)
from notification_service.domain.target import TargetRefused


def _refused(error: TargetRefused) -> Problem:
    fault = FieldError("url", error.message, error.code)
    return Problem(422, error.code, "URL refused", f"No webhook goes there: {error.message}.", fields=[fault])


def _exists(error: EndpointExists) -> Problem:
    return Problem(
        409,
        "webhook_endpoint_exists",
        "Endpoint exists",
        "A webhook endpoint of yours has this URL already: change that one, or enable it.",
        extra={"endpoint_id": str(error.endpoint_id)},
    )


def _too_many(error: TooManyEndpoints) -> Problem:
    return Problem(
        409,
        "webhook_endpoint_limit",
        "Too many endpoints",
        f"You have {error.limit} webhook endpoints and may not have more. Remove one, or take one up again.",
    )


def _not_active(_error: EndpointNotActive) -> Problem:
    return Problem(
        409, "webhook_endpoint_not_active", "Endpoint not active", "Enable the webhook endpoint first."
    )


def _in_progress(_error: DeliveryInProgress) -> Problem:
    return Problem(
        409,
        "webhook_delivery_in_progress",
        "Delivery in progress",
        "This delivery is being sent at this moment. Look at its outcome before you retry it.",
    )


ERRORS: Final[ErrorMap] = {
    EndpointNotFound: lambda _error: not_found("webhook endpoint"),
    DeliveryNotFound: lambda _error: not_found("webhook delivery"),
    TargetRefused: _refused,
    EndpointExists: _exists,
    TooManyEndpoints: _too_many,
    EndpointNotActive: _not_active,
    DeliveryInProgress: _in_progress,
}
