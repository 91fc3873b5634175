"""Show the hidden states that are kept on disk for `--train fusion`, or delete them.

    dlfa cache
    dlfa cache --clear
    dlfa cache --clear 00ab2b09ac13329c,5f3e2a9b1c7d4e60

A run that needs states which are not there computes them again. Nothing else is lost by deleting them.
"""

import sys

from .cli import PLAIN, CommandParser, guarded, make_console
from .errors import InputError
from .files import expanded


ALL = "all"


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 2 for something the user gave, 1 for anything else."""
    return guarded(_main, argv)


def _main(argv: list[str], debug: bool) -> None:
    given = parser().parse_args(argv)
    from rich.table import Table  # not before the arguments are known, so that help is quick

    from .states import GB, StatesCache

    cache = StatesCache(None if given.states_dir is None else expanded(given.states_dir))
    found = cache.sets()
    console = make_console()
    if given.clear is not None:
        keys = None if given.clear == ALL else given.clear.split(",")
        if unknown := sorted(set(keys or ()) - {one.key for one, _ in found}):
            raise InputError(f"--clear {unknown[0]}: no such set in {cache.folder}")
        console.print(f"{cache.clear(keys) / GB:.2f} GB deleted in {cache.folder}", **PLAIN)
        return
    if found:
        table = Table(title_justify="left")
        for header in ("set", "rows of", "layers", "rows", "tokens", "GB"):
            table.add_column(header, justify="left" if header in ("set", "rows of", "layers") else "right")
        sized = [(one.layer_bytes * len(layers) / GB, one, layers) for one, layers in found]
        for size, one, layers in sorted(sized, key=lambda each: each[0]):  # the largest beside the sum
            numbers = (f"{len(one.lengths):,}", f"{one.tokens:,}", f"{size:.2f}")
            table.add_row(one.key, one.name, ", ".join(map(str, layers)), *numbers)
        console.print(table)
    console.print(f"{cache.size() / GB:.2f} GB in {cache.folder}", **PLAIN)


def parser() -> CommandParser:
    made = CommandParser("dlfa cache", __doc__ or "", usage="dlfa cache [--ARGUMENT VALUE ...]")
    made.add_argument("--clear", nargs="?", const=ALL, metavar="SETS", help="delete these sets; default: all")
    made.add_argument("--states_dir", metavar="TEXT", help="default: modeling_dlfa/states under HF_HOME")
    made.add_common()
    return made


if __name__ == "__main__":
    sys.exit(main())
