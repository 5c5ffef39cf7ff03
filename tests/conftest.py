"""What every test gets: an offscreen Qt, settings of its own, time, and a check that it leaves no thread behind."""

import gc
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")  # no pool that outlives a test
os.environ["OMP_NUM_THREADS"] = "1"  # bit-equal sums, and no threads spinning against those of the tests beside

# The same examples each time, however busy the machine; --hypothesis-profile=default looks for new ones.
hypothesis_settings.register_profile(
    "steady", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("steady")

THREAD_GRACE_SECS = 60.0


@pytest.fixture(autouse=True, scope="session")
def own_user_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Settings, caches and recent tapes go to a temporary home: for the tests, and for the programs they start."""
    home: Path = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for variable in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
            patch.setenv(variable, str(home / variable.lower()))
        yield


@pytest.fixture(autouse=True, scope="module")
def small_heap() -> None:
    """What earlier modules and imports left (millions of objects, once the compiler was at work) is set apart, so that
    neither Python's collector, nor capture, which looks for models among all objects, goes through it for each test."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    """Fail a test after which a thread started by it is still alive.

    Threads that Python did not start itself (Qt's, autograd's) show up as dummies without an end, and do not count; nor
    does that of tqdm, which Dynamo draws its progress with where it is installed.
    """
    before = set(threading.enumerate())
    yield
    started = [t for t in threading.enumerate() if t not in before and not isinstance(t, threading._DummyThread)]
    started = [t for t in started if t.name != "tqdm_monitor"]
    for thread in started:
        thread.join(THREAD_GRACE_SECS)
    left = [thread.name for thread in started if thread.is_alive()]
    assert not left, f"threads left running: {', '.join(left)}"
