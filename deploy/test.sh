#!/usr/bin/env bash
# Everything that has to hold, the same here and in CI: format, lint, types, arrows, tests. Arguments go to pytest.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=setup.sh
source "$(dirname -- "${BASH_SOURCE[0]}")/setup.sh"

# A tool that only tests need: found, or installed as root on a Debian-like system, or missing.
need() {
  local package=$1 command
  shift
  for command in "$@"; do
    if command -v "$command" >/dev/null 2>&1; then return 0; fi
  done
  if [[ $EUID -eq 0 ]] && command -v apt-get >/dev/null 2>&1; then
    say "installing $package"
    if apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$package" >/dev/null; then
      return 0
    fi
  fi
  printf '\n!! %s is missing and could not be installed: its tests cannot run. Install it: apt-get install %s\n\n' \
    "$package" "$package" >&2
  missing+=("$package")
}

missing=()
need chromium chromium chromium-browser google-chrome
need nodejs node nodejs
need npm npm
need shellcheck shellcheck

say "format" && ruff format --check --quiet .
say "lint" && ruff check --quiet .
if command -v shellcheck >/dev/null 2>&1; then
  say "shell" && shellcheck deploy/*.sh .ci/run
fi
say "types" && mypy
say "arrows" && lint-imports --no-logo
say "tests" && pytest "$@"

if [[ ${#missing[@]} -gt 0 ]]; then
  printf '\n!! Not everything ran, because of: %s\n' "${missing[*]}" >&2
  exit 1
fi
