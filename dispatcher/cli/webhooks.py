"""``webhooks ...``: where producers are told of events: endpoints, deliveries, replay, and the events themselves."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import islice
from typing import Annotated

import typer
from rich.table import Table

from dispatcher.cli.output import JsonOption, KeyOption, confirm, note, note_deleted, print_json, results
from dispatcher.cli.tables import age, pairs, table, when
from dispatcher.cli.times import in_range, time_option
from dispatcher.client import (
    EVENT_TYPES,
    ChangeWebhookEndpoint,
    Client,
    Event,
    NewWebhookEndpoint,
    Replay,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEndpointSecret,
)
from dispatcher.core.closed_sets import unknown_word
from dispatcher.core.counted import counted

app = typer.Typer(help="Tell other systems what happens: endpoints, deliveries, events.", no_args_is_help=True)

EndpointArgument = Annotated[str, typer.Argument(metavar="ENDPOINT", help="Id of the endpoint.")]
TypeOption = Annotated[
    list[str] | None, typer.Option("--type", help="Only events of this type, such as batch.finished. May be repeated.")
]


@app.command()
def create(
    url: Annotated[str, typer.Argument(metavar="URL", help="Address that events are sent to, with https.")],
    types: TypeOption = None,
    description: Annotated[str, typer.Option(help="What it is, for people.")] = "",
    key: KeyOption = "",
    as_json: JsonOption = False,
) -> None:
    """Create an endpoint, which gets the events from now on, and show its secret."""
    new = NewWebhookEndpoint(url=url, types=_known(types), description=description)
    with Client.from_environment() as client:
        endpoint = client.create_webhook_endpoint(new, key=key)
    _show_secret(endpoint, as_json=as_json)


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List the endpoints."""
    with Client.from_environment() as client:
        endpoints = client.webhook_endpoints().endpoints
    if as_json:
        print_json({"endpoints": [endpoint.model_dump(mode="json") for endpoint in endpoints]})
    else:
        results.print(_endpoints_table(endpoints)) if endpoints else note("There is no webhook endpoint.")


@app.command()
def show(endpoint: EndpointArgument, as_json: JsonOption = False) -> None:
    """Show an endpoint, how far it is, and why it gets nothing if it is disabled."""
    with Client.from_environment() as client:
        _show(client.webhook_endpoint(endpoint), as_json=as_json)


@app.command()
def change(
    endpoint: EndpointArgument,
    url: Annotated[str, typer.Option(help="Another address.")] = "",
    types: TypeOption = None,
    all_types: Annotated[bool, typer.Option("--all-types", help="Events of all types.")] = False,
    description: Annotated[str | None, typer.Option(help="What it is, for people.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Change an endpoint. What is not named stays as it is."""
    chosen = () if all_types else _known(types) or None
    _change(endpoint, ChangeWebhookEndpoint(url=url or None, types=chosen, description=description), as_json=as_json)


@app.command()
def enable(endpoint: EndpointArgument, as_json: JsonOption = False) -> None:
    """Enable an endpoint. It gets the events that it has missed, as far as they are kept."""
    _change(endpoint, ChangeWebhookEndpoint(enabled=True), as_json=as_json)


@app.command()
def disable(endpoint: EndpointArgument, as_json: JsonOption = False) -> None:
    """Disable an endpoint. It keeps its place in the events."""
    _change(endpoint, ChangeWebhookEndpoint(enabled=False), as_json=as_json)


@app.command("rotate-secret")
def rotate_secret(endpoint: EndpointArgument, as_json: JsonOption = False) -> None:
    """Give an endpoint a new secret and show it. The present one signs for a day as well."""
    with Client.from_environment() as client:
        _show_secret(client.rotate_webhook_secret(endpoint), as_json=as_json)


@app.command()
def delete(
    endpoint: EndpointArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
) -> None:
    """Delete an endpoint."""
    confirm(f"Delete webhook endpoint {endpoint}?", yes=yes)
    with Client.from_environment() as client:
        was_there = client.delete_webhook_endpoint(endpoint).removed > 0
    note_deleted(f"webhook endpoint {endpoint}", was_there=was_there)


@app.command()
def deliveries(
    endpoint: EndpointArgument,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Maximum number of attempts.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List the attempts to deliver to an endpoint, newest first."""
    with Client.from_environment() as client:
        page = client.webhook_deliveries_page(endpoint, limit=limit)
    if as_json:
        print_json(page.model_dump(mode="json"))
    else:
        results.print(_deliveries_table(page.deliveries)) if page.deliveries else note("Nothing was delivered yet.")


@app.command()
def replay(
    endpoint: EndpointArgument,
    after: Annotated[str, typer.Option(help="Id of an event: those behind it.")] = "",
    since: Annotated[datetime | None, time_option("Those from this time on.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Let an endpoint get events again."""
    if bool(after) == bool(since):
        raise typer.BadParameter("give the id of an event, or a time with --since", param_hint="--after")
    with Client.from_environment() as client:
        shown = client.replay_webhook_events(endpoint, Replay(after=after or None, since=in_range(since, "--since")))
    _show(shown, as_json=as_json)


@app.command()
def events(
    batch: Annotated[str, typer.Option(help="Only events of this batch.")] = "",
    types: TypeOption = None,
    after: Annotated[str, typer.Option(help="Id of an event: those behind it.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of events.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """List events in the order in which they happened."""
    with Client.from_environment() as client:
        listed = list(islice(client.events(types=_known(types), batch=batch, after=after), limit))
    if as_json:
        print_json({"events": [event.model_dump(mode="json") for event in listed]})
    else:
        results.print(_events_table(listed)) if listed else note("There is no such event.")
    if len(listed) == limit:
        note(f"There may be more: bulkfax webhooks events --after {listed[-1].id}")


def _known(types: list[str] | None) -> tuple[str, ...]:
    for name in types or ():
        if name not in EVENT_TYPES:
            raise typer.BadParameter(unknown_word(name, EVENT_TYPES), param_hint="--type")
    return tuple(types or ())


def _change(endpoint: str, changed: ChangeWebhookEndpoint, *, as_json: bool) -> None:
    with Client.from_environment() as client:
        _show(client.change_webhook_endpoint(endpoint, changed), as_json=as_json)


def _show_secret(endpoint: WebhookEndpointSecret, *, as_json: bool) -> None:
    if as_json:
        print_json(endpoint.model_dump(mode="json"))
        return
    results.print(pairs({"endpoint": endpoint.id, "url": endpoint.url, "secret": endpoint.secret}))
    note("Keep the secret: it is not shown again.")


def _show(endpoint: WebhookEndpoint, *, as_json: bool) -> None:
    if as_json:
        print_json(endpoint.model_dump(mode="json"))
        return
    failing = counted(endpoint.failures, "attempt") + f", since {when(endpoint.failing_since)}"
    facts = {
        "endpoint": endpoint.id,
        "url": endpoint.url,
        "description": endpoint.description,
        "types": ", ".join(endpoint.types) or "all",
        "created": when(endpoint.created_at),
        "state": _state(endpoint),
        "disabled": when(endpoint.disabled_at),
        "because": endpoint.disabled_reason or "",
        "failed": failing if endpoint.failures else "",
        "delivered": when(endpoint.delivered_at) or "never",
        "waiting": f"since {when(endpoint.waiting_since)}" if endpoint.waiting_since else "nothing",
        "has all until": endpoint.position,
    }
    results.print(pairs(facts))
    if not endpoint.enabled:
        note(f"To go on: bulkfax webhooks enable {endpoint.id}")


def _state(endpoint: WebhookEndpoint) -> str:
    if not endpoint.enabled:
        return "disabled"
    return "failing" if endpoint.failures else "enabled"


def _endpoints_table(endpoints: Iterable[WebhookEndpoint]) -> Table:
    grid = table("id", "url", "state", "waiting", prose=["url"])
    for endpoint in endpoints:
        grid.add_row(endpoint.id, endpoint.url, _state(endpoint), age(endpoint.waiting_since))
    return grid


def _deliveries_table(deliveries: Iterable[WebhookDelivery]) -> Table:
    columns = ("time", "events", "attempt", "result", "status", "error", "next")
    grid = table(*columns, numbers=["events", "attempt", "status"], prose=["error"])
    for delivery in deliveries:
        status = str(delivery.status or "")
        facts = (when(delivery.time), f"{delivery.events:,}", str(delivery.attempt), delivery.result, status)
        grid.add_row(*facts, delivery.error or "", age(delivery.next_at))
    return grid


def _events_table(events: Iterable[Event]) -> Table:
    grid = table("id", "time", "type", "batch", "data", prose=["data"])
    for event in events:
        grid.add_row(event.id, when(event.time), event.type, event.batch or "", _data(event.data))
    return grid


def _data(data: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in data.items() if value not in (None, {}))
