#!/bin/sh
# Installs Debian packages where that needs no password; otherwise prints the line to type, and exits 1.
#
#   sh scripts/apt-install.sh PACKAGE...
set -eu

if ! command -v apt-get >/dev/null 2>&1; then
    echo "This machine has no apt-get. Install what these Debian packages hold: $*"
    exit 1
fi
if [ "$(id -u)" = 0 ]; then
    as_root=
elif sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    echo "Type this once, then try again:"
    echo "    sudo apt-get update && sudo apt-get install -y --no-install-recommends $*"
    exit 1
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
echo "Installing with apt-get: $*"
# Out-of-date lists are no reason to stop (one broken third-party source fails the update); a missing package is.
$as_root apt-get update >"$log" 2>&1 || true
if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >>"$log" 2>&1; then
    tail -n 15 "$log"
    echo "apt-get could not install these packages: $*"
    exit 1
fi
