"""``provider services ...``: the settings that many faxes share."""

from collections.abc import Sequence
from typing import Annotated

import typer
from pydantic import ValidationError

from dispatcher.cli.fax_options import named_values
from dispatcher.cli.output import JsonOption, confirm, note, print_json, results
from dispatcher.cli.provider.provider_call import YesOption, call_provider, collect
from dispatcher.cli.provider.tables import as_json as service_json
from dispatcher.cli.provider.tables import details_table, services_table
from dispatcher.sinch.models import Service
from dispatcher.sinch.services import ServiceSettings

app = typer.Typer(help="Services: settings that many faxes share.", no_args_is_help=True)

_NAMES = tuple(ServiceSettings.model_fields)
_ServiceArgument = Annotated[str, typer.Argument(metavar="SERVICE", help="ID of the service.")]
_Settings = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME=VALUE", help=f"Setting to change; an empty value resets it. Names: {', '.join(_NAMES)}."
    ),
]


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List all services of the project."""
    services = call_provider(lambda client: collect(client.services.iter_all()))
    if as_json:
        print_json({"services": [service_json(service) for service in services]})
    else:
        results.print(services_table(services)) if services else note("The project has no service.")


@app.command()
def show(service: _ServiceArgument, as_json: JsonOption = False) -> None:
    """Show a service with all its settings."""
    _show(call_provider(lambda client: client.services.get(service)), as_json=as_json)


@app.command()
def create(settings: _Settings = None, as_json: JsonOption = False) -> None:
    """Create a service, as in: create name="March letters" resolution=FINE."""
    new_settings = _settings(settings or [])
    _show(call_provider(lambda client: client.services.create(new_settings)), as_json=as_json)


@app.command()
def update(service: _ServiceArgument, settings: _Settings = None, as_json: JsonOption = False) -> None:
    """Change the named settings of a service."""
    changes = _settings(settings or [])
    if not changes.model_fields_set:
        raise typer.BadParameter("name what to change, as in resolution=FINE", param_hint="NAME=VALUE")
    _show(call_provider(lambda client: client.services.update(service, changes)), as_json=as_json)


@app.command()
def delete(service: _ServiceArgument, yes: YesOption = False, as_json: JsonOption = False) -> None:
    """Delete a service with its email addresses and cover pages.

    Its numbers remain, without a service.
    """
    confirm(f"Delete service {service} with its email addresses and cover pages for good?", yes=yes)
    call_provider(lambda client: client.services.delete(service))
    print_json({"deleted": service}) if as_json else note(f"service {service} is deleted")


def _settings(arguments: Sequence[str]) -> ServiceSettings:
    """Parse the arguments ``NAME=VALUE``.

    Raises:
        typer.BadParameter: a setting is unknown or has a wrong value.
    """
    values = {name: value or None for name, value in named_values(arguments, "NAME=VALUE").items()}
    try:
        return ServiceSettings.model_validate(values)
    except ValidationError as error:
        raise typer.BadParameter(
            "; ".join(_setting_error(detail["loc"][0], detail["type"]) for detail in error.errors())
        ) from error


def _setting_error(name: object, error_type: str) -> str:
    if error_type == "extra_forbidden":
        return f"there is no setting {name}: the names are {', '.join(_NAMES)}"
    return f"{name} is {'yes or no' if error_type.startswith('bool') else 'a whole number'}"


def _show(service: Service, *, as_json: bool) -> None:
    print_json(service_json(service)) if as_json else results.print(details_table(service))
