# What the deployment tests share; sourced, not run. Keeps a bookworm that debootstrap made, and says what was found.
# shellcheck shell=bash

passed=0
failed=0
ok() { passed=$((passed + 1)); echo "ok      $*"; }
bad() { failed=$((failed + 1)); echo "FAILED  $*"; }
# try WHAT COMMAND...: ok where the command succeeds, with its output where it does not.
try() {
    local what=$1 output
    shift
    if output=$("$@" 2>&1); then ok "$what"; else bad "$what (exit $?)" && printf '%s\n' "$output" | sed 's/^/        /'; fi
}
# The last line, in a form that CI reads.
summary() {
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}

require_root() {
    if [ "$(id -u)" != 0 ]; then
        echo "$0 makes a chroot: run it as root" >&2
        exit 77
    fi
}

# require TOOL=PACKAGE...: installs what is missing.
require() {
    local pair missing=()
    for pair in "$@"; do
        command -v "${pair%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    if [ ${#missing[@]} -gt 0 ]; then
        echo "installing ${missing[*]}" >&2
        apt-get update -qq >/dev/null
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    fi
}

# bookworm FOLDER: a fresh minimal Debian in FOLDER. The archive of it is kept in .build/deploy/cache for a week.
bookworm() {
    local folder=$1 cache=${DEPLOY_CACHE:-.build/deploy/cache} mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
    mkdir -p "$cache" "$folder"
    if [ -z "$(find "$cache/bookworm.tar" -mtime -7 2>/dev/null)" ]; then
        echo "debootstrap of bookworm from $mirror, a minute or two …" >&2
        local fresh=$cache/bookworm.$$
        if ! debootstrap --variant=minbase bookworm "$fresh" "$mirror" >"$cache/debootstrap.log" 2>&1; then
            tail -n 5 "$cache/debootstrap.log" >&2
            rm -rf "$fresh"
            return 1
        fi
        rm -f "$fresh"/var/cache/apt/archives/*.deb
        tar -C "$fresh" -cf "$cache/bookworm.tar.$$" .
        mv "$cache/bookworm.tar.$$" "$cache/bookworm.tar"
        rm -rf "$fresh"
    fi
    tar -C "$folder" -xf "$cache/bookworm.tar"
    # Names and, where the machine has one, the proxy for packages, as the machine itself has them.
    cp /etc/resolv.conf "$folder/etc/resolv.conf"
    find /etc/apt/apt.conf.d -name '*proxy*' -exec cp {} "$folder/etc/apt/apt.conf.d/" \;
    # Nothing may be started by an installation.
    printf '#!/bin/sh\nexit 101\n' >"$folder/usr/sbin/policy-rc.d"
    chmod 755 "$folder/usr/sbin/policy-rc.d"
}
