"""``provider services ...``: the settings that many faxes share."""

from collections.abc import Sequence
from typing import Annotated

import typer
from pydantic import ValidationError

from dispatcher.cli.fax_options import named_values
from dispatcher.cli.output import JsonOption, note, print_json, results
from dispatcher.cli.provider.provider_call import YesOption, ask, confirm, gathered
from dispatcher.cli.provider.tables import as_json as service_json
from dispatcher.cli.provider.tables import facts, services_table
from dispatcher.sinch.models import Service
from dispatcher.sinch.services import ServiceSettings

app = typer.Typer(help="Services: settings that many faxes share.", no_args_is_help=True)

_NAMES = tuple(ServiceSettings.model_fields)
_ServiceArgument = Annotated[str, typer.Argument(metavar="SERVICE", help="Id of the service.")]
_Settings = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME=VALUE", help=f"What to set; nothing after = unsets it. Names: {', '.join(_NAMES)}."),
]


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """All services of the project."""
    services = ask(lambda client: gathered(client.services.walk()))
    if as_json:
        print_json({"services": [service_json(service) for service in services]})
    else:
        results.print(services_table(services)) if services else note("The project has no service.")


@app.command()
def show(service: _ServiceArgument, as_json: JsonOption = False) -> None:
    """One service with all its settings."""
    _show(ask(lambda client: client.services.get(service)), as_json=as_json)


@app.command()
def create(settings: _Settings = None, as_json: JsonOption = False) -> None:
    """Make a service, as in: create name="March letters" resolution=FINE."""
    wanted = _settings(settings or [])
    _show(ask(lambda client: client.services.create(wanted)), as_json=as_json)


@app.command()
def update(service: _ServiceArgument, settings: _Settings = None, as_json: JsonOption = False) -> None:
    """Change the named settings of a service and no others."""
    wanted = _settings(settings or [])
    if not wanted.model_fields_set:
        raise typer.BadParameter("name what to change, as in resolution=FINE", param_hint="NAME=VALUE")
    _show(ask(lambda client: client.services.update(service, wanted)), as_json=as_json)


@app.command()
def delete(service: _ServiceArgument, yes: YesOption = False, as_json: JsonOption = False) -> None:
    """Delete a service. Its numbers are left without one, its mail addresses and cover pages go with it."""
    confirm(f"Delete service {service} with its mail addresses and cover pages for good?", yes=yes)
    ask(lambda client: client.services.delete(service))
    print_json({"deleted": service}) if as_json else note(f"service {service} is deleted")


def _settings(given: Sequence[str]) -> ServiceSettings:
    """Raises typer.BadParameter that names the setting at fault."""
    values = {name: value or None for name, value in named_values(given, "NAME=VALUE").items()}
    try:
        return ServiceSettings.model_validate(values)
    except ValidationError as error:
        raise typer.BadParameter(
            "; ".join(_fault(fault["loc"][0], fault["type"]) for fault in error.errors())
        ) from error


def _fault(name: object, kind: str) -> str:
    if kind == "extra_forbidden":
        return f"there is no setting {name}: the names are {', '.join(_NAMES)}"
    return f"{name} is {'yes or no' if kind.startswith('bool') else 'a whole number'}"


def _show(service: Service, *, as_json: bool) -> None:
    print_json(service_json(service)) if as_json else results.print(facts(service))
