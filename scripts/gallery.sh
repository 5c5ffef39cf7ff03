#!/bin/sh
# Records the models of docs/gallery/models and lets the app take pictures of itself, light and dark.
#
#   sh scripts/gallery.sh [MODEL…]     names without .py; all of them by default
set -eu
cd "$(dirname "$0")/.."

gallery=docs/gallery
tapes=tapescope-out/gallery
python=.venv/bin/python
mkdir -p "$tapes"

# The step to show: where something differs from the step before, if the structure changes at all.
step_of() {
    case $1 in
        lstm | tree_lstm) echo 2 ;;
        mixture_of_experts) echo 3 ;;
        *) echo 1 ;;
    esac
}

picture() {
    model=$1 theme=$2
    "$python" main.py open "$tapes/$model.tape" --step "$(step_of "$model")" --theme "$theme" --size 1440x900 \
        --screenshot "$gallery/$model-$theme.png"
}

[ $# -gt 0 ] || set -- $(cd "$gallery/models" && ls ./*.py | sed 's|^\./||; s|\.py$||')
for model in "$@"; do
    "$python" main.py run --headless --level statistics -o "$tapes/$model.tape" "$gallery/models/$model.py"
    for theme in light dark; do
        QT_QPA_PLATFORM=offscreen picture "$model" "$theme"
    done
    echo "$model"
done
