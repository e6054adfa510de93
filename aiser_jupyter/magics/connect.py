"""``%aiser connect`` and what else is done with connections.

A password is never written in a cell: cells are saved, and the shell keeps every line it ran. It is asked for
in a box of the front end, or taken from a variable that the notebook got from somewhere safe.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import UsageError, nearest
from ..models import ConnectionConfig
from ..secret import Secret
from .grammar import Call
from .listing import Listing

if TYPE_CHECKING:
    from ..connectors.base import Connector
    from ..models import Check, Connection
    from .commands import Context

__all__ = ["CONNECTION_COMMANDS"]


def _connect(call: Call, context: Context) -> Listing:
    alias = call.options.get("--alias")
    if not alias:
        raise UsageError("The connection needs a name.", hint="%aiser connect <url> --alias NAME")
    connections = context.services.connections
    config = _config(call, alias, context)
    known = connections.same(config)
    kind = connections.kind(config.type)
    given = {name: Secret(value) for name, value in _from_variables(call, kind, context.variables).items()}
    if known is not None and not given:
        return _listing(context, [known], f"{alias} is saved already. %aiser test {alias} tries it.")
    asked = given or _asked_for(kind, config)
    config = ConnectionConfig(config.type, alias, {**config.values, **asked})
    saved = connections.change(alias, config.values) if known else connections.create(config)
    return _listing(context, [saved], f"Saved. %%aiser {saved.name} asks it, in every notebook.")


def _config(call: Call, alias: str, context: Context) -> ConnectionConfig:
    """Read the URL and what the options add to it; secrets are still missing."""
    from ..sources.url import has_password

    url = call.words[0]
    if has_password(url):
        raise UsageError(
            "A password in a cell stays in the notebook and in the history of the shell.",
            hint="Leave it out of the URL, and you will be asked for it. This one is known to both by now: "
            "better change it.",
        )
    return context.services.connections.parse_url(
        url, alias, insecure="--insecure" in call.options, ca=call.options.get("--ca"), profiles=True
    )


def _from_variables(call: Call, kind: Connector, variables: Mapping[str, Any]) -> dict[str, str]:
    """Return the secrets that ``--secret FIELD=VARIABLE`` takes from the notebook."""
    found = {}
    for field, variable in call.options.get("--secret", {}).items():
        if field not in kind.secret_fields:
            hint = nearest(field, kind.secret_fields, noun="secret fields")
            raise UsageError(f"{kind.label} has no secret field {field!r}.", hint=hint)
        if variable not in variables:
            raise UsageError(
                f"There is no variable {variable!r}.",
                hint="--secret takes the name of a variable, not a value.",
            )
        if not isinstance(variables[variable], str):
            raise UsageError(f"The variable {variable!r} holds no text.")
        found[field] = variables[variable]
    return found


def _asked_for(kind: Connector, config: ConnectionConfig) -> dict[str, Secret]:
    """Ask for each secret that a profile has not given; an empty answer leaves it out."""
    found = {}
    user = config.values.get(kind.aliases.get("username", "username"))
    host = config.values.get(kind.url_parts[0], config.name)
    place = f"{user}@{host}" if user else host
    if any(field.name in config.values for field in kind.secrets_of(config.values)):
        return {}
    for field in kind.secrets_of(config.values):
        if field.kind == "document":  # the box of a front end has one line
            raise UsageError(
                f"{config.name} needs a {field.label.lower()}, which has several lines.",
                hint=f"Take it from a variable, --secret {field.name}=VARIABLE, or paste it into the form of "
                "the panel.",
            )
        try:
            answer = getpass.getpass(f"{field.label} of {place}: ")
        except (EOFError, NotImplementedError) as exc:
            raise UsageError(
                f"{config.name} needs a {field.label.lower()}, and nobody can be asked here.",
                hint=f"Take it from a variable: --secret {field.name}=VARIABLE, or save the connection with "
                f"aiser connections add in a terminal.",
            ) from exc
        if answer:
            found[field.name] = Secret(answer)
    return found


def _connections(call: Call, context: Context) -> Listing:
    return _listing(context, context.services.connections.list())


def _listing(context: Context, connections: list[Connection], caption: str = "") -> Listing:
    where = context.services.connections.where
    rows = tuple((c.name, c.type, where(c), c.source, c.problem) for c in connections)
    if any(c.problem for c in connections):
        return Listing(("name", "type", "where", "source", "problem"), rows, caption)
    return Listing(("name", "type", "where", "source"), tuple(row[:-1] for row in rows), caption)


def _forget(call: Call, context: Context) -> Listing:
    context.services.connections.delete(call.words[0])
    return Listing((), (), f"{call.words[0]} is forgotten, and its secrets with it.")


def _test(call: Call, context: Context) -> Listing:
    from ..render import seconds_text

    name = context.connection(call.words[0])
    checks: tuple[Check, ...] = context.services.connections.test(name)
    rows = tuple(
        (c.name, "ok" if c.ok else "failed", seconds_text(c.seconds), c.message, c.hint) for c in checks
    )
    works = all(check.ok for check in checks)
    caption = f"{name} works." if works else f"{name} does not work: {checks[-1].name} failed."
    return Listing(("check", "outcome", "took", "message", "hint"), rows, caption)


CONNECTION_COMMANDS = {
    "connect": _connect,
    "connections": _connections,
    "forget": _forget,
    "test": _test,
}
