"""What Tapescope costs, measured beside what others cost; every claim about speed takes its number from here."""

import os

# torch.profiler's own log writes two lines a step to the terminal; it reads this when torch is loaded.
os.environ.setdefault("KINETO_LOG_LEVEL", "99")
