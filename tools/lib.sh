# What the scripts here share; to be sourced by bash.

say() { printf '\n== %s\n' "$*"; }
give_up() { printf '%s: %s\n' "${0##*/}" "$*" >&2; exit 2; }

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else give_up "not root and no sudo; as root run: $*"
    fi
}

# Installs the Debian packages named, if there are any. Never at the price of others: a machine with MySQL, for one,
# keeps it.
install_packages() {
    [ $# = 0 ] && return
    command -v apt-get >/dev/null || give_up "no apt-get here; please install: $*"
    say "installing $*"
    as_root apt-get -qq update || give_up "apt-get update failed; please install: $*"
    as_root env DEBIAN_FRONTEND=noninteractive ${RUNLEVEL:+RUNLEVEL="$RUNLEVEL"} \
        apt-get -qq install --yes --no-remove --no-install-recommends "$@" >/dev/null \
        || give_up "apt-get could not install: $*"
}

# install_idle "SERVICE…" PACKAGE…: installs packages for their programs alone. The services that come with them are
# neither started nor enabled: masked while the packages are set up (systemd), or kept out of the run level (others).
# Only for packages that are missing, so that nobody's own service is touched.
install_idle() {
    local services=${1// /.service }
    services=${services:+$services.service}
    shift
    [ $# = 0 ] && return
    if [ -z "$services" ] || ! command -v systemctl >/dev/null; then
        RUNLEVEL=1 install_packages "$@"
        return
    fi
    # shellcheck disable=SC2086 # a list of words
    (
        trap "as_root systemctl --quiet unmask $services; as_root systemctl --quiet disable $services" EXIT
        as_root systemctl --quiet mask $services || give_up "could not mask $services; please install: $*"
        RUNLEVEL=1 install_packages "$@"
    ) || exit
    echo "neither started nor enabled: $services"
}

need_cargo() {
    command -v cargo >/dev/null || give_up "no cargo in PATH; install Rust from https://rustup.rs"
}
