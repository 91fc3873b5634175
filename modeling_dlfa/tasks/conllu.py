"""Trees as CoNLL-U text: ten columns a word, a blank line after every sentence (universaldependencies.org/format)."""

from collections.abc import Sequence

from ..errors import InputError, shortened
from .readers import CONLLU_COLUMNS, is_word
from .trees import RELATIONS, UPOS, Tree, fault, universal


def parse_trees(
    lines: Sequence[str], where: str, relations: Sequence[str] = RELATIONS, upos: Sequence[str] = UPOS
) -> list[Tree]:
    """The trees of a file.

    Comments, multiword ranges (`1-2`) and empty nodes (`8.1`) are passed over, subtypes of relations cut off. Read
    line by line instead of with the library `conllu`, which does not say where a fault is and lets most of them pass.

    Args:
        lines: without line ends.
        where: the file, for messages.
        relations: the known relations.
        upos: the known parts of speech.

    Raises:
        InputError: with file, line and reason, for a line that is not in the format, an unknown relation or part of
            speech, and heads that are no tree with one root.
    """
    trees: list[Tree] = []
    tree, numbers = Tree([], [], [], []), []
    for number, line in enumerate([*lines, ""], start=1):
        if not line.strip():
            if numbers:
                if found := fault(tree.tokens, tree.heads):
                    raise InputError(f"{where}:{numbers[found[0] - 1]}: {found[1]}")
                trees.append(tree)
                tree, numbers = Tree([], [], [], []), []
        elif not line.startswith("#"):
            fields = line.split("\t")
            if len(fields) != len(CONLLU_COLUMNS):
                expected = f"expected {'<tab>'.join(CONLLU_COLUMNS)}, found {len(fields)} fields"
                raise InputError(f"{where}:{number}: {expected}: {shortened(line)}")
            if is_word(fields[0]):
                _add_word(tree, fields, f"{where}:{number}", relations, upos)
                numbers.append(number)
    return trees


def _add_word(tree: Tree, fields: list[str], where: str, relations: Sequence[str], upos: Sequence[str]) -> None:
    word = dict(zip(CONLLU_COLUMNS, fields, strict=True))
    relation = universal(word["DEPREL"])
    if word["ID"] != str(len(tree.tokens) + 1):
        raise InputError(f"{where}: expected the word number {len(tree.tokens) + 1}, found {word['ID']!r}")
    if not word["FORM"]:
        raise InputError(f"{where}: word {word['ID']} has an empty form")
    if word["UPOS"] not in upos:
        raise InputError(f"{where}: expected a part of speech of {', '.join(upos)}, found {word['UPOS']!r}")
    if not (word["HEAD"].isascii() and word["HEAD"].isdecimal() and len(word["HEAD"]) < 10):
        raise InputError(f"{where}: expected a head of 0 or more, found {word['HEAD']!r}")
    if relation not in relations:
        raise InputError(f"{where}: expected a relation of {', '.join(relations)}, found {word['DEPREL']!r}")
    tree.tokens.append(word["FORM"])
    tree.upos.append(word["UPOS"])
    tree.heads.append(int(word["HEAD"]))
    tree.relations.append(relation)


def format_trees(sentences: Sequence[Sequence[str]], arcs: Sequence[Sequence[tuple[int, str]]]) -> str:
    """CoNLL-U text of word forms with (head, relation) for each, the other columns empty.

    Forms have no way to hold tabs and line ends: spaces stand for them.

    Raises:
        ValueError: where forms and arcs differ in number, or a sentence has none.
    """
    blocks = []
    for tokens, sentence in zip(sentences, arcs, strict=True):
        if not tokens:
            raise ValueError("a sentence without words cannot be written")
        lines = [
            f"{number}\t{token.translate(_SPACES) or '_'}\t_\t_\t_\t_\t{head}\t{relation}\t_\t_\n"
            for number, (token, (head, relation)) in enumerate(zip(tokens, sentence, strict=True), start=1)
        ]
        blocks.append("".join(lines) + "\n")
    return "".join(blocks)


_SPACES = str.maketrans("\t\r\n", "   ")
