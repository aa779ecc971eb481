#!/bin/sh
# Installs into /venv during a build: `install.sh packages EXTRA`, before the source is there, then `install.sh source`.
set -eu
case $1 in
packages)
    pip --python /venv/bin/python install --no-cache-dir --constraint constraints.txt ".${2:+[$2]}"
    ;;
source)
    pip --python /venv/bin/python install --no-cache-dir --no-deps --force-reinstall .
    ;;
esac
