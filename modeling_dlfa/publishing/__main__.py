"""Publish a finished run: `dlfa publish RUN_FOLDER USER/NAME`, or `python -m modeling_dlfa.publishing`.

Weights (safetensors), configuration, the two files of code, tokenizer, card and results go to a model repository of
the Hugging Face Hub in one commit. A new repository is private unless --public is given. `hf auth login` or the
variable HF_TOKEN says who you are. --dry_run shows everything and needs no network:

    dlfa publish runs/udpos user/dlfa-udpos --dry_run

The same command again commits only what has changed.
"""

import sys
from typing import TYPE_CHECKING

from ..cli import CommandParser, guarded, quiet_libraries
from .errors import PublishingError, without_tokens


if TYPE_CHECKING:
    from .checkpoint import Checkpoint
    from .hub import Publication


def main(argv: list[str] | None = None) -> int:
    """Run the command and return its exit code: 0, 1 where the Hub did not do it, 2 for something the user gave."""
    return guarded(
        _main,
        argv,
        interrupted="interrupted: a commit appears as a whole or not at all, the same command goes on",
        failures=(PublishingError,),
        clean=without_tokens,
    )


def _main(argv: list[str], debug: bool) -> None:
    arguments = parser().parse_args(argv)
    # Not before the arguments are known, so that help is quick.
    from huggingface_hub.utils import disable_progress_bars
    from huggingface_hub.utils import logging as hub_logging

    from .checkpoint import read_checkpoint
    from .hub import check_repository, commit_message, publish

    if not debug:
        quiet_libraries()
        hub_logging.set_verbosity_error()
    if not sys.stderr.isatty():
        disable_progress_bars()
    repository = check_repository(arguments.repository)
    checkpoint = read_checkpoint(arguments.folder, repository)
    message = arguments.message or commit_message(checkpoint)
    if arguments.dry_run:
        print(preview(checkpoint, repository, arguments.public, message))
    else:
        print(outcome(checkpoint, publish(checkpoint, repository, arguments.public, message)))


def preview(checkpoint: "Checkpoint", repository: str, public: bool, message: str) -> str:
    """What would be published: the files with their sizes, and the card."""
    from .checkpoint import CARD

    sizes = checkpoint.sizes
    width = max(map(len, sizes))
    lines = [f"would publish {checkpoint.folder} to {repository} ({_visibility(public)}), one commit: {message}", ""]
    for name, size in sizes.items():
        note = "  local paths shortened" if name in checkpoint.rewritten and name != CARD else ""
        lines.append(f"{name:{width}}  {_size(size):>9}{note}")
    lines += [f"{f'{len(sizes)} files':{width}}  {_size(sum(sizes.values())):>9}", ""]
    if checkpoint.left_out:
        lines += [f"stays here: {', '.join(checkpoint.left_out)}", ""]
    card = checkpoint.files[CARD]
    assert isinstance(card, bytes)
    return "\n".join([*lines, f"{CARD}:", "", card.decode()])


def outcome(checkpoint: "Checkpoint", publication: "Publication") -> str:
    """What has been published, where it is seen, and the line that opens it."""
    repository, commit = publication.repository, publication.commit
    if publication.changed:
        first = f"published {repository} ({_visibility(not publication.private)}), commit {commit}"
    else:
        first = f"nothing has changed: {repository} holds all of this at commit {commit}"
    deleted = (
        [f"deleted what an earlier checkpoint had: {', '.join(publication.deleted)}"] if publication.deleted else []
    )
    code = f'{checkpoint.auto_class}.from_pretrained("{repository}", revision="{commit}", trust_remote_code=True)'
    return "\n".join([first, *deleted, publication.url, code])


def _visibility(public: bool) -> str:
    return "public" if public else "private"


def _size(size: float) -> str:
    """A number of bytes as the Hub writes it, in powers of 1000."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"


def parser() -> CommandParser:
    made = CommandParser("dlfa publish", __doc__ or "", usage="dlfa publish RUN USER/NAME [--ARGUMENT VALUE ...]")
    made.add_argument("folder", metavar="RUN", help="output folder of a finished run")
    made.add_argument("repository", metavar="USER/NAME", help="user/name or organisation/name on the Hub")
    made.add_argument("--public", action="store_true", help="everybody may see the repository; default: only you")
    made.add_argument("--message", metavar="TEXT", help="of the commit; default: model and task")
    made.add_argument("--dry_run", action="store_true", help="show files and card, publish nothing")
    made.add_common()
    return made


if __name__ == "__main__":
    sys.exit(main())
