"""What becomes of damaged tapes: `python -m benchmarks.damage --n 10000` damages tapes at random, reads, checks and
repairs each, and prints how many crashed, hung, or said something wrong.

Workers are processes with a limit on their memory; one that says nothing for too long is ended, which counts as a hang.
Each damage has a seed: `--only SEED` does it again.
"""

import argparse
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections import Counter
from pathlib import Path

HANG_SECS = 2.0
_SLOW_SECS = 60.0
_MEMORY_BYTES = 3 << 30
_WORDS = ("right", "read in part", "refused")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=10_000)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seed", type=int, default=0, help="of the first damage")
    parser.add_argument("--only", type=int, metavar="SEED", help="one damage, with its traceback")
    parser.add_argument("--work", nargs=2, type=int, metavar=("FIRST", "END"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.only is not None:
        with tempfile.TemporaryDirectory() as folder:
            print(Trial(Path(folder)).run(random.Random(args.only)))
    elif args.work:
        work(*args.work)
    else:
        sys.exit(bool(survey(args.seed, args.n, args.workers)))


def survey(first: int, n: int, workers: int) -> int:
    """How many went wrong."""
    counts: Counter[str] = Counter()
    bad: list[str] = []
    pending = [(start, min(start + 500, first + n)) for start in range(first, first + n, 500)]
    running: list[_Worker] = []
    with tempfile.TemporaryDirectory() as folder:
        while pending or running:
            while pending and len(running) < workers:
                running.append(_Worker(*pending.pop(0), Path(folder)))
            for worker in list(running):
                worker.read(counts, bad)
                if worker.is_over(counts, bad):
                    running.remove(worker)
                    if worker.next < worker.end:
                        pending.insert(0, (worker.next, worker.end))
            time.sleep(0.05)
    for kind, number in sorted(counts.items()):
        print(f"{kind:32} {number:7,}")
    print(*bad[:40], sep="\n")
    return len(bad)


class _Worker:
    def __init__(self, first: int, end: int, folder: Path) -> None:
        self.next, self.end = first, end
        self._said = folder / f"{first}.txt"
        self._n_read = 0
        self._since = time.monotonic()
        command = [sys.executable, "-m", "benchmarks.damage", "--work", str(first), str(end)]
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)

    def read(self, counts: Counter[str], bad: list[str]) -> None:
        lines = self._said.read_text(errors="replace").split("\n")[:-1]
        for line in lines[self._n_read :]:
            seed, _, said = line.partition(" ")
            if not seed.isdigit():
                continue
            self.next, self._since = int(seed) + 1, time.monotonic()
            outcome, _, secs = said.partition("|")
            counts[outcome if outcome in _WORDS else "WRONG"] += 1
            if outcome not in _WORDS:
                bad.append(f"{seed} {outcome}")
            elif float(secs) > HANG_SECS:
                counts["HUNG"] += 1
                bad.append(f"{seed} took {secs} s of processor time")
        self._n_read = len(lines)

    def is_over(self, counts: Counter[str], bad: list[str]) -> bool:
        if self._process.poll() is None and time.monotonic() - self._since < _SLOW_SECS:
            return False
        is_hung = self._process.poll() is None
        if is_hung:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self.read(counts, bad)
        if self.next < self.end:
            counts["HUNG" if is_hung else "CRASHED"] += 1
            bad.append(f"{self.next} {'hung' if is_hung else f'crashed, exit code {self._process.returncode}'}")
            self.next += 1
        return True


def work(first: int, end: int) -> None:
    """A line each: seed, outcome, seconds of processor time."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    with tempfile.TemporaryDirectory() as folder:
        trial = Trial(Path(folder))
        for seed in range(first, end):
            before = time.process_time()
            try:
                outcome = trial.run(random.Random(seed))
            except Exception as error:
                where = traceback.extract_tb(error.__traceback__)[-1]
                text = " ".join(str(error).split())[:200]
                outcome = f"{trial.what}: {type(error).__name__} in {Path(where.filename).name}:{where.lineno}: {text}"
            print(f"{seed} {outcome}|{time.process_time() - before:.2f}", flush=True)


class Trial:
    """Damages one of the tapes, and holds what it says against what it said before."""

    def __init__(self, folder: Path) -> None:
        from tests.store import damages

        self._damages = damages
        self._path, self._new = folder / "a.tape", folder / "new.tape"
        self._tapes = list(damages.all_tapes(folder).items())
        self._whole = {}
        for name, files in self._tapes:
            damages.write(self._path, files)
            self._whole[name] = damages.contents(self._path)
        self.what = ""

    def run(self, chance: random.Random) -> str:
        """ "right", "read in part", "refused"; AssertionError where it is wrong."""
        from tracer import TapeError

        name, files = chance.choice(self._tapes)
        self.what, files = self._damages.damaged(files, chance)
        self.what = f"{name}, {self.what}"
        self._damages.write(self._path, files)
        whole = self._whole[name]
        before = self._state()
        found, is_right = None, False
        try:
            found = self._damages.contents(self._path)
            self._damages.assert_true(found, whole)
            is_right = found == whole
        except TapeError as error:
            assert "\n" not in str(error)
        self._check_and_repair(found == whole if found else False, name)
        assert self._state() == before, "something was written"
        return "right" if is_right else "refused" if found is None else "read in part"

    def _check_and_repair(self, is_right: bool, name: str) -> None:
        from tracer import TapeError
        from tracer.store.checking import check
        from tracer.store.salvage import repair

        try:
            condition = check(self._path)
            salvage = repair(self._path, self._new)
        except TapeError as error:
            assert "\n" not in str(error) and not is_right
            return
        may_end_early = name == "killed"  # a log that is cut off says nothing of what it held
        assert condition.damage or is_right or may_end_early, "said to be intact"
        found = self._damages.contents(self._new)
        self._damages.assert_true(found, self._whole[name])
        assert len(found.steps) == salvage.n_steps == condition.n_steps, "not all of it is in the new tape"
        again = check(self._new)
        assert not again.damage, f"the new tape is damaged: {again.damage}"

    def _state(self) -> list[tuple[str, int, int]]:
        stats = [(path.name, path.stat()) for path in sorted(self._path.parent.glob("a.tape*"))]
        return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]


if __name__ == "__main__":
    main()
