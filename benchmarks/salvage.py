"""What is left of damaged tapes: `python -m benchmarks.salvage` cuts a tape of a hundred thousand steps and destroys
pages of it, repairs it, and prints how many steps, graphs and values come out, and of how many the bytes are intact.

Intact are the bytes of a step where no byte of its row or its block, and of their pages' heads, was touched; those of a
graph where also its structure's rows are, and those of the structure it leans on; those of a value where its step's row or
its chunk's is.
"""

import argparse
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.store import report
from tests.store.samples import META, statistics, step_record, structure_record
from tracer import Tape
from tracer.errors import TapeError
from tracer.store import schema
from tracer.store.btree import INDEX_LEAF, TABLE_LEAF
from tracer.store.records import StatisticsRecord
from tracer.store.salvage import repair
from tracer.store.writer import Writer
