#!/usr/bin/env bash
# Everything on this machine: set-up, then `hotpass demo` with whatever arguments are given. One Ctrl-C stops it.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=setup.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/setup.sh"
exec .venv/bin/hotpass demo "$@"
