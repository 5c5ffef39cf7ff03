"""The demos run as anyone's scripts would: without us, from any folder, with or without a network."""

import ast
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMOS = sorted((ROOT / "assets" / "demos").glob("*.py"))
OURS = {"assets", "gui", "main", "tapescope", "tracer"}
SHORT_RUNS = {"mnist_mlp": ("--epochs", "1", "--batches", "3", "--shipped"), "sentence_rnn": ("--steps", "3")}


@pytest.fixture
def run_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a demo in this process, which spares the seconds of importing torch, and returns what it prints."""

    def run(name: str, *arguments: str) -> str:
        script = str(ROOT / "assets" / "demos" / f"{name}.py")
        monkeypatch.setattr(sys, "argv", [script, *arguments])
        monkeypatch.chdir(tmp_path)
        runpy.run_path(script, run_name="__main__")
        return capsys.readouterr().out

    return run


def imported_packages(source: str) -> set[str]:
    packages = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            packages |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            packages.add("." if node.level else (node.module or "").split(".")[0])
    return packages


@pytest.mark.parametrize("demo", DEMOS, ids=lambda path: path.stem)
def test_demo_imports_nothing_of_ours(demo: Path) -> None:
    assert not imported_packages(demo.read_text()) & {*OURS, "."}


@pytest.mark.parametrize("demo", DEMOS, ids=lambda path: path.stem)
def test_demo_says_what_it_is_and_what_to_watch(demo: Path) -> None:
    title, _, text = (ast.get_docstring(ast.parse(demo.read_text())) or "").partition("\n\n")

    assert 0 < len(title) <= 60 and "\n" not in title and not title.endswith(".")
    assert len(re.findall(r"\.(?:\s|$)", text)) == 2, "two sentences"


@pytest.mark.parametrize("demo", DEMOS, ids=lambda path: path.stem)
def test_demo_runs_as_a_plain_script(demo: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", str(demo), *SHORT_RUNS.get(demo.stem, ())]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240)

    assert (done.returncode, done.stderr) == (0, "")
    assert "loss" in done.stdout


def test_sentence_rnn_learns_and_repeats_itself(run_here: Callable[..., str]) -> None:
    printed = run_here("sentence_rnn", "--steps", "200")
    losses = [float(loss) for loss in re.findall(r"mean loss ([\d.]+)", printed)]

    assert losses[-1] < 0.75 * losses[0]
    assert run_here("sentence_rnn", "--steps", "50").splitlines()[:2] == printed.splitlines()[:2]


def test_sentence_rnn_meets_many_lengths() -> None:
    demo = runpy.run_path(str(ROOT / "assets" / "demos" / "sentence_rnn.py"))
    lengths = {len(words) for package in ("email", "xml") for words in demo["read_sentences"](package)}

    assert len(lengths) >= 15
    assert min(lengths) >= 3 and max(lengths) <= 30


def test_mnist_mlp_falls_back_to_the_shipped_digits_without_a_network(
    run_here: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")  # the discard port: refused at once
    for variable in ("TORCHVISION_DATA", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    printed = run_here("mnist_mlp", "--epochs", "0")

    assert "optical digits" in printed
    assert printed == run_here("mnist_mlp", "--epochs", "0", "--shipped")
    assert list(tmp_path.iterdir()) == []


def test_mnist_mlp_reports_each_epoch(run_here: Callable[..., str]) -> None:
    printed = run_here("mnist_mlp", "--epochs", "2", "--shipped")

    assert 22 <= int(re.findall(r"batch 0 of (\d+)", printed)[0]) <= 25
    assert len(re.findall(r"Test: average loss \d\.\d{4}, accuracy \d+/297", printed)) == 2
