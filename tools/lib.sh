# What the scripts here share; to be sourced by bash.

say() { printf '\n== %s\n' "$*"; }
give_up() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 2; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else give_up "not root and no sudo; as root run: $*"
    fi
}

# Installs the Debian packages named, if there are any.
install_packages() {
    [ $# = 0 ] && return
    command -v apt-get >/dev/null || give_up "no apt-get here; please install: $*"
    say "installing $*"
    as_root apt-get -qq update || give_up "apt-get update failed; please install: $*"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends "$@" >/dev/null \
        || give_up "apt-get could not install: $*"
}

need_cargo() {
    command -v cargo >/dev/null || give_up "no cargo in PATH; install Rust from https://rustup.rs"
}
