"""A study: a grid of runs on any number of machines, and a report of what they show.

    dlfa study run study.yaml --workers 2

`python -m modeling_dlfa.study` is the same. It needs the extra `study`: pip install 'modeling-dlfa[study]'.
"""

import sys

from ..cli import CommandParser, guarded, needs_extra, quiet_libraries
from ..errors import InputError
from . import HEARTBEAT


COMMANDS = {
    "run": "run what is left of the study, then write the report",
    "status": "show how far it is, and how long it will take",
    "retry": "put failed cells into the queue again",
    "scout": "rank all layers on development data of the training language, without running the grid",
    "report": "write the report from what finished cells have left",
}


def main(argv: list[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 1 where cells are missing, 2 for something the user gave."""
    return guarded(
        _main,
        argv,
        interrupted="interrupted; the same command goes on where it stopped",
        failures=(ModuleNotFoundError,),
    )


def _main(argv: list[str], debug: bool) -> int:
    arguments = parser().parse_args(argv)
    for name in ("workers", "heartbeat"):
        if getattr(arguments, name) < 1:
            raise InputError(f"--{name} {getattr(arguments, name)}: expected a positive number")
    with needs_extra("study"):  # not before the arguments are known, so that help is quick
        from .commands import RUN
        from .spec import load_spec
    if not debug:
        quiet_libraries()
    return RUN[arguments.command](load_spec(arguments.study, arguments.output_dir), arguments)


def parser() -> CommandParser:
    lines = "\n".join(f"  {name:<8}{what}" for name, what in COMMANDS.items())
    usage = f"dlfa study {'|'.join(COMMANDS)} STUDY.yaml [--ARGUMENT VALUE ...]"
    made = CommandParser("dlfa study", f"{(__doc__ or '').strip()}\n\n{lines}", usage=usage)
    made.add_argument("command", choices=COMMANDS, help="what to do, see above")
    made.add_argument("study", help="YAML file that describes the study")
    made.add_argument("--output_dir", metavar="TEXT", help="instead of the one that the file names")
    made.add_argument("--storage", metavar="TEXT", help="URL of the database; default: study.db in the folder")
    made.add_argument("--workers", type=int, metavar="INT", default=1, help="cells to run at once on this machine")
    made.add_argument("--retry", action="store_true", help="with run: also run failed cells again")
    made.add_argument(
        "--heartbeat",
        type=int,
        metavar="INT",
        default=HEARTBEAT,
        help="seconds between two signs of life of a worker; the cell of one that misses three is taken over",
    )
    made.add_common()
    return made


if __name__ == "__main__":
    sys.exit(main())
