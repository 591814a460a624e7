#!/usr/bin/env bash
# Makes .venv exactly as uv.lock says. Sourced by demo.sh and test.sh, or run by itself; a second run takes a moment.
# Works from any directory, as root or not, with an empty HOME. Leaves the repository's directory as the working one.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
cd -- "$root"

say() { printf '\033[2m── %s\033[0m\n' "$*" >&2; }
fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# The first Python that is new enough; HOTPASS_PYTHON wins.
find_python() {
  local candidate
  for candidate in ${HOTPASS_PYTHON:-} python3.11 python3.12 python3.13 python3 python3.14 python; do
    if "$candidate" -c 'import sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
      command -v -- "$candidate"
      return 0
    fi
  done
  return 1
}

# uv from PATH, else a private one beside the environments.
find_uv() {
  local bootstrap=$root/.hotpass/bootstrap
  if command -v uv >/dev/null 2>&1; then
    command -v uv
    return 0
  fi
  if [[ ! -x $bootstrap/bin/uv ]]; then
    say "no uv on PATH: putting one into .hotpass/bootstrap"
    # Some systems ship Python without ensurepip: then its own pip, if it has one, installs into the directory alone.
    if "$python" -m venv --clear "$bootstrap" >/dev/null 2>&1; then
      "$bootstrap/bin/python" -m pip install --quiet --no-input uv >&2
    else
      "$python" -m pip install --quiet --no-input --upgrade --target "$bootstrap" uv >&2
    fi || fail "uv could not be installed. It needs pip (on Debian: apt-get install python3-venv) and a package index."
  fi
  printf '%s\n' "$bootstrap/bin/uv"
}

# With HOME unset or not writable, caches go beside the environments.
if [[ -z ${HOME:-} || ! -w ${HOME:-/nonexistent} ]]; then
  mkdir -p "$root/.hotpass/home"
  export HOME=$root/.hotpass/home
fi
unset VIRTUAL_ENV PYTHONHOME PYTHONPATH

python=$(find_python) || fail "No Python 3.11 or newer found. Install one, or name it: HOTPASS_PYTHON=/path/to/python3 $0"
# An environment that was made elsewhere or whose Python is gone is made anew by uv.
stamp=$root/.venv/.set-up
if [[ ! $stamp -nt uv.lock || ! $stamp -nt pyproject.toml ]] || ! .venv/bin/python -c 'import hub' >/dev/null 2>&1; then
  uv=$(find_uv) || exit 1
  say "making .venv from uv.lock with $("$python" --version 2>&1)"
  # The copies need no further link; uv compiles what it installs, so PYTHONDONTWRITEBYTECODE must not say otherwise.
  env -u PYTHONDONTWRITEBYTECODE "$uv" sync --frozen --python "$python" --quiet ||
    fail "uv could not make .venv. Check the network or the configured package index, and try again."
  touch "$stamp"
fi
export PATH=$root/.venv/bin:$PATH
