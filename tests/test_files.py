"""What a file is besides its content: links, modes, pipes, devices, long names, full disks."""

import errno
import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import fastbp as fb
from fastbp import _files, models, plots
from fastbp._files import open_regular, read_toml, write_atomically

pytestmark = pytest.mark.skipif(os.name != "posix", reason="links, modes and pipes of POSIX")


def write(path: Path | str, content: bytes = b"new") -> None:
    write_atomically(path, lambda file: file.write(content))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# Links


@pytest.fixture
def linked(tmp_path):
    """Folders with the file real/file, and here/link -> here/../chain -> real/file."""
    for folder in ("real", "here"):
        (tmp_path / folder).mkdir()
    (tmp_path / "real" / "file").write_bytes(b"old")
    (tmp_path / "chain").symlink_to(Path("real", "file"))
    (tmp_path / "here" / "link").symlink_to(Path("..", "chain"))
    return tmp_path


def test_what_a_link_points_to_is_written_and_the_link_stays(linked):
    write(linked / "here" / "link")
    assert os.readlink(linked / "here" / "link") == "../chain"
    assert os.readlink(linked / "chain") == "real/file"
    assert (linked / "real" / "file").read_bytes() == b"new"
    assert not (linked / "real" / "file").is_symlink()
    assert (names(linked / "real"), names(linked / "here")) == (["file"], ["link"])


def test_a_link_into_a_linked_folder_is_followed_as_the_system_does(linked):
    (linked / "elsewhere").mkdir()
    (linked / "elsewhere" / "folder").symlink_to(linked / "here")
    write(linked / "elsewhere" / "folder" / "link")  # its ".." is the folder's, not the link's
    assert (linked / "real" / "file").read_bytes() == b"new"
    assert names(linked / "elsewhere") == ["folder"]


def test_a_link_to_nothing_makes_what_it_points_to(linked):
    (linked / "real" / "file").unlink()
    write(linked / "here" / "link")
    assert (linked / "real" / "file").read_bytes() == b"new"
    assert (linked / "here" / "link").is_symlink()


def test_links_that_lead_nowhere_are_named(tmp_path):
    for name, target in (("loop", "loop"), ("lost", "none/file")):
        (tmp_path / name).symlink_to(target)
    with pytest.raises(OSError, match="loop") as caught:
        write(tmp_path / "loop")
    assert caught.value.errno == errno.ELOOP
    with pytest.raises(FileNotFoundError, match=r"lost: the folder .*none does not exist"):
        write(tmp_path / "lost")
    assert names(tmp_path) == ["loop", "lost"]


def test_models_histories_and_plots_are_written_through_links(tmp_path):
    (tmp_path / "real").mkdir()
    net, history = fb.Sequential(fb.Linear(3, 2)), fb.History()
    figure = plots.class_probabilities(None, net.predict_proba([[1.0, 2.0, 3.0]])[0])
    for name, save in (
        ("net.safetensors", net.save),
        ("history.csv", history.to_csv),
        ("plot.png", lambda path: plots.save(figure, path)),
    ):
        (tmp_path / name).symlink_to(Path("real", name))
        save(tmp_path / name)
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / "real" / name).stat().st_size > 0


# Modes and owners


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o755, 0o444])
def test_a_file_keeps_its_mode(tmp_path, mode):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(mode)
    write(path)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_private_file_is_private_at_every_moment(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    path.chmod(0o600)
    seen = []
    write_atomically(
        path, lambda file: seen.extend(stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir())
    )
    assert seen == [0o600, 0o600]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root gives away")
def test_a_file_keeps_its_owner(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    os.chown(path, 12345, 54321)
    write(path)
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 54321)


# What is no file


def test_a_pipe_is_written_to_and_stays(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for name in ("pipe", "link"):
        read: list[bytes] = []
        path = tmp_path / "pipe"
        reader = threading.Thread(target=lambda read=read, p=path: read.append(p.read_bytes()))
        reader.start()
        write(tmp_path / name)
        reader.join(10)
        assert read == [b"new"]
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert names(tmp_path) == ["link", "pipe"]


def test_a_device_is_written_to_and_stays(tmp_path):
    device = tmp_path / "null"  # a copy, so that a failure costs nobody the system's
    try:
        os.mknod(device, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        device.read_bytes()
    except PermissionError:
        pytest.skip("no right to make devices")
    write(device)
    fb.Sequential(fb.Linear(3, 2)).save(device)
    fb.History().to_csv(device)
    assert stat.S_ISCHR(device.stat().st_mode)
    assert names(tmp_path) == ["null"]


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1"])
@pytest.mark.parametrize("to_file", [True, False])
def test_standard_output_is_written_to(tmp_path, name, to_file):
    if not Path(name).exists():
        pytest.skip(f"no {name} here")
    script = f"import fastbp; fastbp.History().to_csv({name!r})"
    expected = tmp_path / "expected.csv"
    fb.History().to_csv(expected)
    with (tmp_path / "out").open("w+b") as out:
        before = os.fstat(out.fileno()).st_ino
        where = out if to_file else subprocess.PIPE
        done = subprocess.run([sys.executable, "-c", script], stdout=where, check=True)
        assert (tmp_path / "out").stat().st_ino == before
        out.seek(0)
        assert (out.read() if to_file else done.stdout) == expected.read_bytes()
    assert names(tmp_path) == ["expected.csv", "out"]


# Names, and errors that name the file


def test_the_longest_name_works(tmp_path):
    path = tmp_path / ("ü" * 120 + "n" * 15)  # 255 bytes
    write(path)
    assert path.read_bytes() == b"new"
    with pytest.raises(OSError, match="nnnn") as caught:
        write(tmp_path / ("n" * 256))
    assert caught.value.errno == errno.ENAMETOOLONG


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_full_disk_names_the_file(tmp_path, monkeypatch, step):
    path = tmp_path / "net.safetensors"

    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if step != "write":
        monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match=r"No space left on device: '.*net\.safetensors'$") as caught:
        write_atomically(path, fail if step == "write" else lambda file: file.write(b"new"))
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert names(tmp_path) == []


def test_a_full_device_is_named():
    if not Path("/dev/full").is_char_device():
        pytest.skip("no /dev/full here")
    with pytest.raises(OSError, match=r"No space left on device: '/dev/full'$"):
        write("/dev/full")


@pytest.mark.skipif(
    hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere"
)
def test_a_folder_that_may_not_be_written_names_the_file(tmp_path):
    tmp_path.chmod(0o555)
    try:
        with pytest.raises(PermissionError, match=r"file'$") as caught:
            write(tmp_path / "file")
    finally:
        tmp_path.chmod(0o755)
    assert caught.value.filename == str(tmp_path / "file")


def test_the_temporary_files_name_is_not_the_one_told(tmp_path, monkeypatch):
    def fail(path, *_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(_files, "open", fail, raising=False)
    with pytest.raises(PermissionError, match=r"^\[Errno 13\] Permission denied: ") as caught:
        write(tmp_path / "file")
    assert caught.value.filename == str(tmp_path / "file")


def test_a_folder_in_the_files_place_is_named(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        write(tmp_path / "folder")
    assert caught.value.filename == str(tmp_path / "folder")
    assert names(tmp_path) == ["folder"]


def test_what_the_writer_itself_says_stays_as_it_was(tmp_path):
    def fail(_):
        raise FileNotFoundError(errno.ENOENT, "No such file", "another")

    with pytest.raises(FileNotFoundError, match="another"):
        write_atomically(tmp_path / "file", fail)
    assert names(tmp_path) == []


# What killed writers left


def test_leftovers_older_than_an_hour_are_removed(tmp_path):
    old = [".fastbp-0123abcd", ".fastbp-ffffffff"]
    kept = [".fastbp-00000000", ".fastbp-0123abcd.txt", ".fastbp-0123ABCD", ".fastbp-settings"]
    for name in (*old, *kept):
        (tmp_path / name).touch()
    (tmp_path / ".fastbp-11111111").mkdir()
    before = time.time() - 3700
    for name in names(tmp_path):
        if name != ".fastbp-00000000":  # of a writer that is at it
            os.utime(tmp_path / name, (before, before))
    write(tmp_path / "file")
    assert names(tmp_path) == sorted([".fastbp-11111111", *kept, "file"])


def test_a_killed_writer_leaves_a_file_that_can_be_recognised(tmp_path):
    script = (
        "import os, sys; from fastbp._files import write_atomically\n"
        "write_atomically(sys.argv[1], lambda file: os._exit(9))"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path / "file"], check=False)
    (left,) = names(tmp_path)
    assert _files.TEMPORARY.fullmatch(left)


# Reading


def test_a_file_and_a_link_to_it_are_opened(tmp_path):
    (tmp_path / "file").write_bytes(b"text")
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link"):
        with open_regular(tmp_path / name) as file:
            assert file.read() == b"text"


@pytest.mark.parametrize("read", [open_regular, read_toml, models.read])
def test_a_pipe_or_a_device_is_refused_at_once(tmp_path, read):
    pipe = tmp_path / "settings.toml"
    os.mkfifo(pipe)
    for path, kind in ((pipe, "a pipe"), (Path("/dev/zero"), "a device")):
        with pytest.raises(ValueError, match=f"^{path}: is {kind}; expected a file$"):
            read(str(path))


def test_a_pipe_that_takes_a_files_place_is_not_waited_for(tmp_path, monkeypatch):
    path = tmp_path / "settings.toml"
    path.touch()
    as_file = os.stat(path)
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(os, "stat", lambda _: as_file)
    with pytest.raises(ValueError, match="is a pipe; expected a file"):
        open_regular(path)


def test_folders_and_missing_files_are_named(tmp_path):
    for path, error in ((tmp_path, IsADirectoryError), (tmp_path / "none", FileNotFoundError)):
        with pytest.raises(error) as caught:
            open_regular(path)
        assert str(caught.value.filename) == str(path)
