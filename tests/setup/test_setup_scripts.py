"""The set-up scripts on machines that lack something, played by stand-ins for the programs they ask."""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="system libraries are Linux's matter")

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
USED = ("sh", "dirname", "grep", "find", "mktemp", "rm", "tail", "uname", "env", "cksum", "cat")
EVERYTHING = re.findall(r"^(lib\S+\.so\.\d+) ", (SCRIPTS / "system-libraries.sh").read_text(), re.MULTILINE)

Machine = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Runs a script where only the named stand-ins and a few plain tools exist: `machine("x.sh", id="echo 0")`."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in USED:
        (programs / name).symlink_to(str(shutil.which(name)))
    fonts = tmp_path / ".local" / "share" / "fonts"
    fonts.mkdir(parents=True)
    (fonts / "some.ttf").touch()

    def run(script: str, *arguments: str, **stand_ins: str) -> subprocess.CompletedProcess[str]:
        for name, code in stand_ins.items():
            program = programs / name.replace("_", "-")
            program.write_text(f"#!/bin/sh\n{code}\n")
            program.chmod(0o755)
        command = ["/bin/sh", str(SCRIPTS / script), *arguments]
        environment = {"PATH": str(programs), "HOME": str(tmp_path)}
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=240)

    return run


def ldconfig_without(*libraries: str) -> str:
    lines = [f"echo '\t{name} (libc6,x86-64) => /lib/{name}'" for name in EVERYTHING if name not in libraries]
    return "\n".join(lines)


def test_nothing_is_said_where_nothing_is_missing(machine: Machine) -> None:
    done = machine("system-libraries.sh", ldconfig=ldconfig_without())
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_user_without_sudo_gets_the_exact_line_to_type(machine: Machine) -> None:
    done = machine(
        "system-libraries.sh",
        ldconfig=ldconfig_without("libEGL.so.1", "libxcb-cursor.so.0"),
        id="echo 1000",
        apt_get="exit 1",
        apt_cache="exit 100",
    )
    line = "sudo apt-get update && sudo apt-get install -y --no-install-recommends libegl1 libxcb-cursor0"
    assert line in [text.strip() for text in done.stdout.splitlines()]
    assert done.returncode == 1


def test_missing_window_libraries_do_not_stop_the_set_up(machine: Machine) -> None:
    done = machine(
        "system-libraries.sh",
        ldconfig=ldconfig_without("libxcb-cursor.so.0"),
        id="echo 1000",
        apt_get="exit 1",
        apt_cache="exit 100",
    )
    assert done.returncode == 0
    assert "everything that draws offscreen works" in done.stdout


def test_root_installs_under_the_name_this_release_uses(machine: Machine, tmp_path: Path) -> None:
    done = machine(
        "system-libraries.sh",
        ldconfig=ldconfig_without("libglib-2.0.so.0"),
        id="echo 0",
        apt_get='echo "$@" >>"$HOME/asked"',
        apt_cache='[ "$2" = libglib2.0-0t64 ]',
    )
    assert done.returncode == 0
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == ["update", "install -y --no-install-recommends libglib2.0-0t64"]


def test_other_systems_get_a_hint_without_apt(machine: Machine) -> None:
    done = machine("system-libraries.sh", ldconfig=ldconfig_without("libGL.so.1"))
    assert done.returncode == 1
    assert "no apt-get" in done.stdout and "libgl1" in done.stdout


def test_a_machine_without_a_recent_python_is_told_so(machine: Machine) -> None:
    done = machine("find-python.sh", python3='[ "$1" = --version ] && echo Python 3.9.2')
    assert done.returncode == 1
    assert done.stderr.startswith("Tapescope needs Python 3.11 or newer, and found Python 3.9.2.")


def test_a_python_without_venv_names_the_package(machine: Machine) -> None:
    python = f'case "$*" in *ensurepip*) exit 1 ;; esac; exec {sys.executable} "$@"'
    done = machine("find-python.sh", python3=python)
    assert done.returncode == 1
    assert f"python3.{sys.version_info.minor}-venv" in done.stderr
