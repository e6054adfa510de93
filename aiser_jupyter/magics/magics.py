"""``AiserMagics``: what the two magics do with a `Call`, and what they hold while they are loaded."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_cell_magic, magics_class, needs_local_scope, no_var_expand

from ..errors import UnknownConnection, UsageError
from . import display, errors

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from ..config import Settings
    from ..models import Query
    from ..result import QueryResult
    from ..services import Services
    from .comm import CommTarget
    from .completion import Completion
    from .grammar import Call

__all__ = ["AiserMagics"]


@magics_class
class AiserMagics(Magics):
    """SQL in a notebook. ``%aiser help`` lists commands and options."""

    shell: Any  # a kernel's shell has parts that IPython's own has not

    def __init__(self, shell: InteractiveShell, settings: Settings) -> None:
        super().__init__(shell)
        self.settings = settings
        self._services: Services | None = None
        self._lock = threading.Lock()
        self._comm: CommTarget | None = None
        self._completion: Completion | None = None

    # -- the two magics -------------------------------------------------------------------------------

    @no_var_expand
    @needs_local_scope
    @line_cell_magic
    def aiser(self, line: str, cell: str | None = None, *, local_ns: Mapping[str, Any] | None = None) -> Any:
        """Run SQL, or a command.

        ``%%aiser [connection] [options]`` runs the statement on the lines below it; ``%aiser SQL`` runs one
        line and is an expression: ``result = %aiser SELECT 42``. ``{{ name }}`` and ``:name`` bind variables
        of the notebook, and its DataFrames are tables. ``-o name``, or ``name <<`` before the statement,
        assigns the whole result as a DataFrame.

        ``%aiser help`` lists the commands (connect, tables, route, history, ...) and the options.
        """
        with errors.bugs_are_short():
            from .grammar import parse_cell, parse_line

            names = self._names(local_ns)
            if cell is None:
                return self._do(parse_line(line, self.is_connection), names)
            return self._do(parse_cell(line, cell, self.is_connection), names)

    def _do(self, call: Call, names: Mapping[str, Any]) -> Any:
        if not call.command:
            return self._run(call, names)
        from . import commands

        if call.command == "help":
            return commands.help_listing(*call.words)
        if call.command == "route":
            statement, route = self.services.queries.route(self.query(call, names), self.frames(names))
            caption = f"{route.engine}: {route.reason}\nkind: {statement.kind}; nothing was run."
            return commands.route_listing(route, caption)
        if call.command == "parallel":
            from .parallel import parallel, parse_sections

            return parallel(self, parse_sections(call.text, self.is_connection), names)
        context = commands.Context(self.services, self.frames(names), self.connection_name, names)
        return commands.CALL_COMMANDS[call.command](call, context)

    def _run(self, call: Call, names: Mapping[str, Any]) -> QueryResult:
        if "--as" in call.options and not call.output:
            raise UsageError("--as needs a variable to fill.", hint="Add -o NAME, or write NAME << SELECT …")
        from .progress import LiveLine

        query = self.query(call, names)
        queries = self.services.queries
        line = LiveLine(self.shell)
        try:
            submission = queries.submit(query, self.frames(names), emit=line.emit)
            line.engine = submission.route.engine
            result = submission.wait(line.tick)
        finally:
            line.close()
            if self._comm is not None and self._comm.is_open:
                queries.flush()  # the panel reads what the store has
                self._comm.push("history")
        if call.output:
            kind = call.options.get("--as", self.settings.preferences.output_type)
            self.shell.push({call.output: submission.convert(kind)})
            result = submission.result or result
        if self._completion is not None:
            self._completion.learn(query.connection, query.text)
        return replace(result, quiet=True) if call.silent or "--quiet" in call.options else result

    def query(self, call: Call, names: Mapping[str, Any]) -> Query:
        """Return what ``call`` asks for, with the variables that it sees."""
        from ..models import Query

        given, hidden = call.options, self.shell.user_ns_hidden
        names = {
            name: value
            for name, value in names.items()
            if name not in hidden or hidden[name] is not value  # what the person made, and not In, Out, exit
        }
        return Query(
            text=call.text,
            connection=self.connection_name(call.connection),
            engine=given.get("--engine"),
            variables={**names, **given.get("--param", {})},
            limit=given.get("--limit"),
            timeout=given.get("--timeout"),
            max_age=given.get("--max-age", 0.0),
            use_cache="--no-cache" not in given,
            max_bytes=given.get("--max-bytes"),
            whole=bool(call.output),
            cell=_cell_id(self.shell),
            with_=given.get("--with", ()),
            save=given.get("--save", ""),
        )

    # -- what names mean ------------------------------------------------------------------------------

    @property
    def services(self) -> Services:
        """The services of this kernel, built when first asked for; also from another thread."""
        with self._lock:
            if self._services is None:
                from ..services import build

                self._services = build(self.settings)
                atexit.register(self.close)
            return self._services

    def _names(self, local_ns: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the variables a call sees: the notebook's, behind those of the function it stands in."""
        return {**self.shell.user_ns, **(local_ns or {})}

    def frames(self, names: Mapping[str, Any] | None = None) -> Mapping[str, object]:
        """Return the DataFrames among ``names``; without, the notebook's, as they are now."""
        from ..frames import frames_in

        return frames_in(self._names(names))

    def is_connection(self, word: str) -> bool:
        """Say whether ``word`` names a connection: a saved one, or a variable that holds one."""
        try:
            self.connection_name(word)
        except (UnknownConnection, UsageError):
            return False
        return True

    def connection_name(self, word: str | None) -> str:
        """Return the name of the connection that ``word`` means; the preferred one for None.

        Raises
        ------
        UnknownConnection
            There is neither a saved connection nor a variable of that name.
        UsageError
            The variable holds something else.
        """
        connections = self.services.connections
        if word is None:
            word = self.settings.preferences.connection
        if word in self.shell.user_ns and word not in {known.name for known in connections.list()}:
            return connections.adopt(word, self.shell.user_ns[word]).name
        return connections.get(word).name

    # -- loading and unloading ------------------------------------------------------------------------

    def attach(self) -> None:
        """Register with the shell: magics, ``%config``, formatters, completion, and the front end's comm."""
        from .comm import CommTarget
        from .completion import Completion

        shell = self.shell
        shell.register_magics(self)
        shell.configurables.append(self.settings.preferences)
        display.register(shell, self.settings.preferences)
        self._completion = Completion(self)
        shell.Completer.custom_matchers.append(self._completion.matcher)
        if display.has_front_end(shell):
            self._comm = CommTarget(self)
            shell.kernel.comm_manager.register_target(CommTarget.name, self._comm.opened)
            shell.events.register("post_run_cell", self._comm.after_cell)

    def detach(self) -> None:
        """Undo `attach`, and close the services."""
        shell = self.shell
        if self._comm is not None:
            shell.events.unregister("post_run_cell", self._comm.after_cell)
            shell.kernel.comm_manager.unregister_target(self._comm.name, self._comm.opened)
            self._comm.close()
        if self._completion is not None:
            shell.Completer.custom_matchers.remove(self._completion.matcher)
        display.unregister(shell)
        for part in (self.settings.preferences, self):
            shell.configurables.remove(part)
        for kind in ("line", "cell"):
            shell.magics_manager.magics[kind].pop("aiser", None)
        shell.magics_manager.registry.pop(type(self).__name__, None)
        errors.uninstall()
        atexit.unregister(self.close)
        self.close()

    def close(self) -> None:
        """Cancel what runs and give everything back; also when the process ends."""
        if self._completion is not None:
            self._completion.close()
        if self._services is not None:
            self._services.close()


def _cell_id(shell: InteractiveShell) -> str:
    """Return the id that the front end gave the running cell, or ""."""
    parent = getattr(shell, "parent_header", None) or {}
    return str(parent.get("metadata", {}).get("cellId", ""))
