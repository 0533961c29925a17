"""The `triptych` command: the one module that knows all apps.

An app's verbs live in its `cli.py` and are loaded when one of them is called, so that `triptych --help` answers at
once. Every error of the suite ends here: its message on stderr, exit code 1 (2 for a wrong call, 130 after Ctrl-C).
"""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from apps import evaluate_cli, finetune_cli, house, models_cli
from apps.house import App
from core.console import fail, hint
from core.errors import SuiteError

APPS: tuple[App, ...] = (
    App(
        verb="customer-service",
        package="customer_service",
        settings="CustomerServiceSettings",
        help="Answers from your documents, with citations, or says that it cannot.",
    ),
    App(
        verb="finance",
        package="finance_sentiment",
        settings="FinanceSettings",
        help="Topics, sentiment and trends of a stream of texts; warns when negative news surges, with the evidence.",
    ),
)


def build(words: Sequence[str] = (), *, everything: bool = False) -> typer.Typer:
    """The command tree; of the apps only the one that `words` begin with is loaded.

    :param words: the arguments that will be parsed.
    :param everything: load all apps, for shell completion and for the tests of the documentation.
    """
    root = typer.Typer(
        name="triptych",
        help="A customer-service bot, a sentiment monitor and a recommender on one generative core.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    root.callback()(_root)
    first = next((word for word in words if not word.startswith("-")), None)
    for app in APPS:
        tree = typer.Typer(no_args_is_help=True)
        if everything or first == app.verb:
            tree = importlib.import_module(f"apps.{app.package}.cli").app
        else:
            tree.callback()(_nothing)
        root.add_typer(tree, name=app.verb, help=app.help)
    models_cli.add_prepare(APPS)
    root.add_typer(models_cli.app, name="models", help="Models: which there are, prepare, publish, roll back.")
    root.add_typer(finetune_cli.app, name="finetune", help="Train a model on your own rows, measure and publish it.")
    root.add_typer(evaluate_cli.app, name="evaluate", help="Measure texts against references; people rate answers.")
    house.add_verbs(root, APPS)
    return root


def _say_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version as installed

        typer.echo(f"triptych {installed('triptych')}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Say the version and stop.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    """Parent of every verb."""


def _nothing() -> None:
    """Stands for the verbs of an app that this call does not need."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    :param arguments: without the program's name; none means those of the process.
    :returns: 0 when it worked, 1 when it did not, 2 when it was called wrongly, 130 after Ctrl-C.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    completing = "_TRIPTYCH_COMPLETE" in os.environ
    try:
        command = typer.main.get_command(build(words, everything=completing))
        command.main(args=words, prog_name="triptych")
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        if code == INTERRUPTED:
            hint(STOPPED)
        return code
    except KeyboardInterrupt:
        hint(STOPPED)
        return INTERRUPTED
    except Exception as error:
        message = explain(error)
        if message is None:
            raise
        fail(message)
        return 1
    return 0


INTERRUPTED = 130
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
STOPPED = "\nStopped. What was reported done is kept; run the same command again and it goes on from there."


def explain(error: BaseException) -> str | None:
    """What to say of an error that a person can mend; None for a bug, which keeps its traceback."""
    if isinstance(error, SuiteError):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}."
    if isinstance(error, OSError) and error.errno in FULL:
        return f"A file could not be written: {error.strerror}. Make room, then run the same command again."
    return house.explain_settings(error)


if __name__ == "__main__":
    sys.exit(main())
