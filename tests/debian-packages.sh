#!/bin/sh
# Installs Debian packages that the tests use, where it may (root on Debian). Elsewhere the tests skip and say what to install.
missing=""
for package in "$@"; do
    case "$package" in
        mosquitto) [ -x /usr/sbin/mosquitto ] || missing="$missing mosquitto" ;;
        chromium) [ -x /usr/bin/chromium ] || missing="$missing chromium" ;;
        *) dpkg -s "$package" >/dev/null 2>&1 || missing="$missing $package" ;;
    esac
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "Not installed:$missing. On Debian: sudo apt-get install$missing" >&2
    exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq && apt-get install -qq -y --no-install-recommends $missing >/dev/null
