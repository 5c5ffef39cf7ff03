#!/bin/sh
# Prints the path of a Python >= 3.11 that can make virtual environments; installs Debian's python3-venv where it may.
set -eu

version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }
is_recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
has_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

recent=
for name in "${TAPESCOPE_PYTHON:-python3}" python3 python3.13 python3.12 python3.11 python3.14; do
    is_recent "$name" || continue
    if has_venv "$name"; then
        command -v "$name"
        exit 0
    fi
    recent=${recent:-$name}
done

if [ -z "$recent" ]; then
    echo "Tapescope needs Python 3.11 or newer, and found $(python3 --version 2>/dev/null || echo none)." \
        "Install one, or name it: make TAPESCOPE_PYTHON=/path/to/python3 run" >&2
    exit 1
fi

# Debian and Ubuntu ship Python without ensurepip; the package is named after the version.
package=python$(version_of "$recent")-venv
if sh "$(dirname "$0")/apt-install.sh" "$package" >&2 && has_venv "$recent"; then
    command -v "$recent"
    exit 0
fi
echo "$recent cannot make a virtual environment: its venv or ensurepip module is missing." \
    "On Debian and Ubuntu the package is $package." >&2
exit 1
