"""How numbers, times and shapes read on screen."""

import math
import time
from collections.abc import Sequence


def number(value: float) -> str:
    """Four significant digits, without an exponent between 0.00001 and a million."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    if float(value).is_integer() and abs(value) < 1e6:
        return count(int(value)).replace("-", "−")
    if 1e-5 <= abs(value) < 1e6:
        decimals = max(0, 3 - math.floor(math.log10(abs(value))))
        text = f"{value:.{decimals}f}".rstrip("0").rstrip(".") if decimals else f"{value:.0f}"
    else:
        text = f"{value:.3e}"
    return text.replace("-", "−")


def count(value: int) -> str:
    return f"{value:,}"


def magnitude(value: float) -> str:
    """A large count, three significant digits: "950", "12.3 k", "1.2 M"."""
    for limit, unit in ((1e3, ""), (1e6, " k"), (1e9, " M")):
        if value < limit:
            return f"{value / limit * 1e3:.3g}{unit}"
    return f"{value / 1e9:,.3g} G"


def duration(secs: float) -> str:
    for limit, factor, unit in ((1e-3, 1e6, "µs"), (1, 1e3, "ms"), (120, 1, "s")):
        if secs < limit:
            return f"{secs * factor:.3g} {unit}"
    return f"{secs / 60:.3g} min"


def size(n_bytes: float) -> str:
    """Bytes in powers of 1024, three significant digits."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if n_bytes < 1024:
            return f"{n_bytes:.0f} {unit}" if n_bytes >= 100 or unit == "B" else f"{n_bytes:.3g} {unit}"
        n_bytes /= 1024
    return f"{n_bytes:,.3g} TiB"


def flops(value: float) -> str:
    """Floating point operations, three significant digits."""
    for unit in ("FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP"):
        if value < 1000:
            return f"{value:.3g} {unit}"
        value /= 1000
    return f"{value:,.3g} PFLOP"


def share(value: float) -> str:
    """A part of one in per cent."""
    return f"{value * 100:.3g} %"


def moment(time_ns: int) -> str:
    """Local time of day to the millisecond."""
    secs, rest = divmod(time_ns, 1_000_000_000)
    return f"{time.strftime('%H:%M:%S', time.localtime(secs))}.{rest // 1_000_000:03d}"


def date(secs: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(secs))


def shape(sizes: Sequence[int]) -> str:
    return " × ".join(map(str, sizes)) if sizes else "scalar"


def plural(value: int, one: str, many: str | None = None) -> str:
    """The count with its noun: "1 step", "1,204 steps"."""
    return f"{count(value)} {one if value == 1 else many or one + 's'}"
