#!/usr/bin/env bash
# H1: the unit is valid and its exposure is at most 1.5 by systemd's own count: test_unit.sh SYSTEMD-ANALYZE UNIT
set -euo pipefail
folder=$(mktemp -d "${TMPDIR:-/tmp}/camtrapd-unit.XXXXXX")
trap 'rm -rf "$folder"' EXIT
# The daemon is not installed here, nor are its manuals.
sed -e 's|^ExecStart=/usr/sbin/camtrapd|ExecStart=/bin/true|' -e '/^Documentation=/d' "$2" >"$folder/camtrapd.service"
said=$("$1" verify "$folder/camtrapd.service" 2>&1) || true
[ -z "$said" ] || { echo "$said" && exit 1; }
"$1" security --offline=true --threshold=15 "$2" | tail -n 1
