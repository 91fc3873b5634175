"""`dlfa train`, which is what `run_xtreme.py` and `python -m modeling_dlfa.training` are too."""

import sys

from ..cli import guarded, quiet_libraries


def main(argv: list[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 2 for something the user gave, 1 for anything else."""
    return guarded(_main, argv)


def _main(argv: list[str], debug: bool) -> None:
    if {"-h", "--help"} & set(argv):
        from .help import run_help

        print(run_help(), end="")
        return
    from .command_line import CommandLine  # not before they are needed, so that help is quick
    from .launch import launch

    if not debug:
        quiet_libraries()
    launch(CommandLine(argv))


if __name__ == "__main__":
    sys.exit(main())
