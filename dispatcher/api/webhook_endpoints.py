"""Routes of webhook endpoints: create, list, show, change, rotate the secret, delete, deliveries, replay."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from dispatcher.api import convert, validation
from dispatcher.api.dependencies import RuntimeDep
from dispatcher.api.headers import IdempotencyKey
from dispatcher.api.parameters import AfterLine, LimitOf1000
from dispatcher.api.problems import raises
from dispatcher.schema import responses
from dispatcher.service import errors, webhooks

router = APIRouter(prefix="/v1/webhook-endpoints", tags=["events"])

EndpointPath = Annotated[str, Path(description="Id of the endpoint.")]
#: what every route of an endpoint can raise
_FIND = (errors.Missing,)


@router.post(
    "",
    status_code=201,
    responses=raises(errors.ActionNotAllowed, errors.Conflict, errors.Deleted),
)
async def create_webhook_endpoint(
    body: validation.NewWebhookEndpoint, runtime: RuntimeDep, response: Response, key: IdempotencyKey = None
) -> responses.WebhookEndpointSecret:
    """Create an endpoint, which gets the events from now on. Its secret is shown only in this answer.

    A repeat with the same idempotency key shows the present secret again. An account may have 20 endpoints.
    """
    private = runtime.settings.webhook_private_addresses
    view = await webhooks.create_endpoint(runtime.store, convert.new_endpoint(body), key, private=private)
    response.headers["Location"] = f"/v1/webhook-endpoints/{view.endpoint.id}"
    return convert.webhook_endpoint_secret(view)


@router.get("")
async def list_webhook_endpoints(runtime: RuntimeDep) -> responses.WebhookEndpoints:
    """List all endpoints, the oldest first."""
    views = await webhooks.list_endpoints(runtime.store)
    return responses.WebhookEndpoints(endpoints=tuple(map(convert.webhook_endpoint, views)))


@router.get("/{endpoint}", responses=raises(*_FIND))
async def get_webhook_endpoint(endpoint: EndpointPath, runtime: RuntimeDep) -> responses.WebhookEndpoint:
    """Show an endpoint, how far it is, and why it gets nothing if it is disabled."""
    return convert.webhook_endpoint(await webhooks.show_endpoint(runtime.store, endpoint))


@router.patch("/{endpoint}", responses=raises(*_FIND, errors.ActionNotAllowed))
async def update_webhook_endpoint(
    endpoint: EndpointPath, body: validation.ChangeWebhookEndpoint, runtime: RuntimeDep
) -> responses.WebhookEndpoint:
    """Change an endpoint, or enable it again.

    What is under way ends first. Then its events are delivered again, as a new delivery.
    """
    private = runtime.settings.webhook_private_addresses
    view = await webhooks.change_endpoint(runtime.store, endpoint, convert.endpoint_change(body), private=private)
    return convert.webhook_endpoint(view)


@router.delete("/{endpoint}")
async def delete_webhook_endpoint(endpoint: EndpointPath, runtime: RuntimeDep) -> responses.Removed:
    """Delete an endpoint. A delivery that is under way may still arrive."""
    return responses.Removed(removed=await webhooks.delete_endpoint(runtime.store, endpoint))


@router.post("/{endpoint}/rotate-secret", responses=raises(*_FIND, errors.ActionNotAllowed))
async def rotate_webhook_secret(endpoint: EndpointPath, runtime: RuntimeDep) -> responses.WebhookEndpointSecret:
    """Give an endpoint a new secret, which is shown only in this answer. For a day, the present one signs as well."""
    return convert.webhook_endpoint_secret(await webhooks.rotate_secret(runtime.store, endpoint))


@router.get("/{endpoint}/deliveries", responses=raises(*_FIND))
async def list_webhook_deliveries(
    endpoint: EndpointPath,
    runtime: RuntimeDep,
    after: AfterLine = "",
    limit: LimitOf1000 = 100,
) -> responses.WebhookDeliveryPage:
    """List the attempts to deliver to an endpoint, newest first. The last 1,000 are kept."""
    page = await webhooks.list_deliveries(runtime.store, endpoint, after=int(after or 0), limit=limit)
    return convert.delivery_page(page)


@router.post("/{endpoint}/replay", responses=raises(*_FIND, errors.ActionNotAllowed))
async def replay_webhook_events(
    endpoint: EndpointPath, body: validation.Replay, runtime: RuntimeDep
) -> responses.WebhookEndpoint:
    """Let an endpoint get events again: those behind an event, or from a time on, as far as they are kept.

    What is under way ends first. An event or a time that is still to come is refused.
    """
    view = await webhooks.replay(runtime.store, endpoint, body.after or "", since_ms=convert.ms(body.since))
    return convert.webhook_endpoint(view)
