"""Fetch Transformers' own common model tests from PyPI: `python tests/transformers_suite/fetch.py FOLDER`.

A wheel of Transformers has no tests. The source distribution of the same version has the files named in `FILES`, and
they import three modules that it lacks (`STUBS`). None of it is copied into this repository.
"""

import subprocess
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path


PACKAGE = "transformers_tests"  # what the fetched files are imported as; they name each other with a dot
VERSION = "VERSION"
FILES = ("test_configuration_common.py", "test_modeling_common.py", "test_training_mixin.py")
# Exporters, and generation, which encoders do not do, are tested by files that are not distributed; the common
# arguments of a configuration are only tried on those without nested ones.
STUBS = {
    "__init__.py": "",
    "exporters/__init__.py": "",
    "exporters/test_export.py": "class ExportTesterMixin:\n    pass\n",
    "generation/__init__.py": "",
    "generation/test_utils.py": "class GenerationTesterMixin:\n    pass\n",
    "utils/__init__.py": "",
    "utils/test_configuration_utils.py": "config_common_kwargs = {}\n",
}


def download(wanted: str, folder: Path) -> Path:
    """The source distribution of this version of Transformers, which pip checks against the index's hash."""
    requirement = ["--no-deps", "--no-binary=transformers", f"transformers=={wanted}"]
    subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder), *requirement], check=True
    )
    return folder / f"transformers-{wanted}.tar.gz"


def unpack(archive: Path, wanted: str, package: Path) -> None:
    """Write the tests and the stubs.

    Raises:
        SystemExit: the archive lacks one of the tests.
    """
    files = {name: text.encode() for name, text in STUBS.items()}
    with tarfile.open(archive) as members:
        for name in FILES:
            try:
                member = members.extractfile(f"transformers-{wanted}/tests/{name}")
            except KeyError:
                raise SystemExit(f"{archive.name} has no tests/{name}") from None
            assert member is not None
            files[name] = member.read()
    files[VERSION] = wanted.encode()
    for name, content in files.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def main(folder: Path) -> None:
    wanted, package = version("transformers"), folder / PACKAGE
    if (package / VERSION).is_file() and (package / VERSION).read_text() == wanted:
        return
    with tempfile.TemporaryDirectory() as temporary:
        unpack(download(wanted, Path(temporary)), wanted, package)
    print(f"the common model tests of transformers {wanted} are in {package}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
