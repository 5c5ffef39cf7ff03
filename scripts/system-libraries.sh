#!/bin/sh
# Sees to the system libraries that Qt's wheels expect of a Linux machine; other systems bring their own.
#
# Without the first list Qt cannot be loaded at all: exit 1. Without the second no window opens, yet drawing offscreen
# works: said, and passed over.
set -eu
[ "$(uname -s)" = Linux ] || exit 0
PATH=$PATH:/usr/sbin:/sbin # where ldconfig lies, and a plain user does not look

# Each line: a file that the loader must know, the Debian package that holds it.
to_load_qt="
libglib-2.0.so.0 libglib2.0-0
libGL.so.1 libgl1
libEGL.so.1 libegl1
libxkbcommon.so.0 libxkbcommon0
libfreetype.so.6 libfreetype6
libfontconfig.so.1 libfontconfig1
libdbus-1.so.3 libdbus-1-3
libgssapi_krb5.so.2 libgssapi-krb5-2"
to_open_windows="
libxkbcommon-x11.so.0 libxkbcommon-x11-0
libxcb-cursor.so.0 libxcb-cursor0
libxcb-icccm.so.4 libxcb-icccm4
libxcb-keysyms.so.1 libxcb-keysyms1
libxcb-shape.so.0 libxcb-shape0
libxcb-image.so.0 libxcb-image0
libxcb-render-util.so.0 libxcb-render-util0
libxcb-xkb.so.1 libxcb-xkb1
libxcb-randr.so.0 libxcb-randr0
libxcb-xinerama.so.0 libxcb-xinerama0
libwayland-cursor.so.0 libwayland-cursor0"

known=$(ldconfig -p)

# Packages of a list whose library is missing, on one line. Since 2024 some names end in t64 (64-bit time).
missing_packages() {
    echo "$1" | while read -r library package; do
        case "$known" in *"$library "*) continue ;; esac
        if [ -n "$package" ] && apt-cache show "${package}t64" >/dev/null 2>&1; then
            package=${package}t64
        fi
        printf "%s " "$package"
    done
}

required=$(missing_packages "$to_load_qt")
optional=$(missing_packages "$to_open_windows")
if ! find -L /usr/share/fonts /usr/local/share/fonts "${HOME:-/root}/.local/share/fonts" -name '*.[to]tf' 2>/dev/null |
    grep -q .; then
    optional="${optional}fonts-dejavu-core " # for scripts that the shipped fonts lack, and to spare Qt's warning
fi
[ -n "$required$optional" ] || exit 0

# shellcheck disable=SC2086  # two lists of words
if ! sh "$(dirname "$0")/apt-install.sh" $required $optional; then
    [ -z "$required" ] || exit 1
    echo "Going on without them: a window may not open here; everything that draws offscreen works."
fi
