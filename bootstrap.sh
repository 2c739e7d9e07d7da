#!/bin/sh
# Make the two environments this project runs in, on a machine that may have neither uv nor pyenv.
#
#   .venv      the project, its checks, its tests, the sandbox
#   .venv-aws  the embedded AWS alone: its Lambda workers must not find what the layer has to bring
#
# Both come from uv.lock. Run by `make setup`; running it again takes a second. With the argument
# `--lock` (as `make lock` does) the dependencies are locked anew first.
set -eu
cd "$(dirname "$0")"

uv_version=0.13.9 # the one that wrote uv.lock
python_version=3.13

say() { printf '   %s\n' "$*"; }

give_up() {
    printf '\n%s\n' "$*" >&2
    exit 1
}

# A command may be on the path and still not run (a pyenv shim of another version), so all
# candidates are tried by running them.
runs_python() {
    "$1" -c "import sys; sys.exit(sys.version_info[:2] != (${python_version%.*}, ${python_version#*.}))" \
        >/dev/null 2>&1
}

find_python() {
    for candidate in "${PYTHON:-}" "python$python_version" python3 python \
        "${PYENV_ROOT:-$HOME/.pyenv}/versions/$python_version".*/bin/python; do
        if [ -n "$candidate" ] && runs_python "$candidate"; then
            "$candidate" -c 'import sys; print(sys.executable)'
            return
        fi
    done
}

# Any Python will do to carry uv, but Debian's comes without the module that makes environments.
install_uv() {
    for candidate in "${PYTHON:-}" "$python" python3 python; do
        [ -n "$candidate" ] || continue
        rm -rf .uv
        if "$candidate" -m venv .uv >/dev/null 2>&1; then
            say "installing uv $uv_version into .uv"
            .uv/bin/python -m pip install -qq --disable-pip-version-check "uv==$uv_version" ||
                give_up "pip could not fetch uv $uv_version. Is there a way to PyPI from here?"
            return
        fi
    done
    rm -rf .uv
    give_up "No Python here can make an environment. Install one of:
  Debian, Ubuntu:  apt install python3-venv
  macOS:           brew install uv
  anything:        https://docs.astral.sh/uv/getting-started/installation/"
}

# An older uv would not understand pyproject.toml; `uv --version` fails where it is only a shim.
find_uv() {
    for candidate in .uv/bin/uv uv; do
        if found=$("$candidate" --version 2>/dev/null) && [ "${found#uv }" != "$found" ]; then
            number=${found#uv }
            number=${number%% *}
            minor=${number#*.}
            if [ "${number%%.*}" -gt 0 ] || [ "${minor%%.*}" -ge 8 ]; then
                echo "$candidate"
                return
            fi
        fi
    done
}

python=$(find_python)
uv=$(find_uv)
if [ -z "$uv" ]; then
    install_uv
    uv=.uv/bin/uv
fi

if [ -n "$python" ]; then
    say "Python: $python"
    UV_PYTHON=$python
else
    say "no Python $python_version here: uv fetches one"
    UV_PYTHON=$python_version
fi
export UV_PYTHON

if [ "${1:-}" = --lock ]; then
    "$uv" lock || give_up "uv cannot lock the dependencies; what it says stands above."
fi

sync() {
    environment=$1
    shift
    if ! UV_PROJECT_ENVIRONMENT=$environment "$uv" sync --quiet --locked "$@"; then
        give_up "The environment $environment could not be made; what uv says stands above.
If it could not fetch Python $python_version, install one (python.org, pyenv, your system's packages)
and run again, naming it if it is not on the path:  make setup PYTHON=/path/to/python$python_version"
    fi
    say "$environment is up to date"
}

sync .venv
sync .venv-aws --only-group embedded-aws
