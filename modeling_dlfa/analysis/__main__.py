"""Look inside an encoder or a finished run, and write what is seen as one page with its figures and tables.

    dlfa analyse layers embedded --data sample --output_dir looked/layers

`python -m modeling_dlfa.analysis` is the same. It needs the extra `analyse`: pip install 'modeling-dlfa[analyse]'.
`dlfa analyse ANALYSIS --help` shows the arguments of an analysis.
"""

import sys

from ..cli import CommandParser, guarded
from ..errors import InputError, did_you_mean
from .commands import ANALYSES, run_analysis


def main(argv: list[str] | None = None) -> int:
    """Run an analysis and return its exit code: 0, 2 for something the user gave, 1 for anything else."""
    return guarded(_main, argv, failures=(ModuleNotFoundError,))


def _main(argv: list[str], debug: bool) -> None:
    first = argv[0] if argv else "--help"
    if first in ("-h", "--help"):
        parser().print_help()
    elif first in ANALYSES:
        run_analysis(first, argv[1:], debug)
    else:
        advice = did_you_mean(first, ANALYSES, f"expected one of {', '.join(ANALYSES)}")
        raise InputError(f"dlfa analyse: unknown analysis {first!r}; {advice}")


def parser() -> CommandParser:
    lines = "\n".join(f"  {name:<10}{what}" for name, (_, what) in ANALYSES.items())
    usage = f"dlfa analyse {'|'.join(ANALYSES)} MODEL [--ARGUMENT VALUE ...]"
    made = CommandParser("dlfa analyse", f"{(__doc__ or '').strip()}\n\n{lines}", usage=usage)
    made.add_common()
    return made


if __name__ == "__main__":
    sys.exit(main())
