#!/bin/sh
# Makes this checkout ready to run: system libraries for Qt, .venv, and `pip install -e .[EXTRA]`.
#
#   sh scripts/setup.sh [EXTRA]     EXTRA: test (default) or bench, as in pyproject.toml
#
# Idempotent; takes milliseconds while pyproject.toml and the folder stay as they were.
set -eu
cd "$(dirname "$0")/.."

extra=${1:-test}
python=.venv/bin/python
stamp=.venv/.installed-$extra
# The folder belongs to the state: once moved, the editable install has to be told where it lives now.
state="$PWD $(cksum <pyproject.toml)"

if [ -x "$python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$state" ]; then
    exit 0
fi

sh scripts/system-libraries.sh
if ! "$python" -c 'import pip, sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
    base=$(sh scripts/find-python.sh)
    echo "Setting up .venv with $("$base" --version)"
    "$base" -m venv --clear .venv
fi
echo "Installing what pyproject.toml asks for into .venv (PyTorch is a large download, the first time)"
"$python" -m pip install --disable-pip-version-check --quiet --editable ".[$extra]"
printf '%s\n' "$state" >"$stamp"
