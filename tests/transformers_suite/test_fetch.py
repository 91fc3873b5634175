import io
import runpy
import tarfile
from pathlib import Path

import pytest


FETCH = runpy.run_path(str(Path(__file__).with_name("fetch.py")))


def write_archive(path: Path, names: tuple[str, ...]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            content = f"# {name}\n".encode()
            member = tarfile.TarInfo(f"transformers-9.9.9/tests/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_only_the_tests_that_are_used_are_unpacked_and_what_they_lack_is_stubbed(tmp_path):
    archive = write_archive(tmp_path / "sdist.tar.gz", (*FETCH["FILES"], "test_other.py"))
    FETCH["unpack"](archive, "9.9.9", tmp_path / "package")
    found = {str(path.relative_to(tmp_path / "package")) for path in tmp_path.glob("package/**/*") if path.is_file()}
    assert found == {*FETCH["FILES"], *FETCH["STUBS"], "VERSION"}
    assert (tmp_path / "package" / "test_modeling_common.py").read_text() == "# test_modeling_common.py\n"
    assert (tmp_path / "package" / "VERSION").read_text() == "9.9.9"


def test_an_archive_without_a_test_is_refused(tmp_path):
    archive = write_archive(tmp_path / "sdist.tar.gz", FETCH["FILES"][1:])
    with pytest.raises(SystemExit, match=f"sdist.tar.gz has no tests/{FETCH['FILES'][0]}"):
        FETCH["unpack"](archive, "9.9.9", tmp_path / "package")
    assert not (tmp_path / "package").exists()
