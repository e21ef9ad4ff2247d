# packaging/deps.sh: sourced by the two commands: installs what is missing, and nothing when all is there.
# shellcheck shell=bash
need_packages() {
	local missing=() p sudo=""
	for p in "$@"; do
		dpkg-query -W -f='${Status}' "$p" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$p")
	done
	[ ${#missing[@]} -eq 0 ] && return 0
	[ "$(id -u)" -eq 0 ] || sudo=sudo
	echo "installing: ${missing[*]}" >&2
	$sudo apt-get update -qq >&2
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2 </dev/null
}

BUILD_PACKAGES=(gcc libc6-dev cmake ninja-build pkg-config libsnmp-dev libevent-dev libconfig-dev libsqlite3-dev libjansson-dev
	libssl-dev libseccomp-dev zlib1g-dev libcmocka-dev ieee-data libwireshark-data)
RUN_PACKAGES=(snmp snmptrapd python3 procps)
TEST_PACKAGES=(clang libclang-rt-14-dev snmpd snmptt smitools mandoc python3-jsonschema sqlite3 graphviz)
# The real peers of --all.
NOC_PACKAGES=(nagios4-core icinga2-bin)
