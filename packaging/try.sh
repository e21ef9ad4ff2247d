#!/usr/bin/env bash
# camtrapd's main job in front of your eyes: an emulated campus on loopback (or one real switch), the daemon, a real snmptrapd.
#   ./packaging/try.sh           until Ctrl-C
#   ./packaging/try.sh --once    ends with 0 after one camera was plugged in and its inform acknowledged
#   ./packaging/try.sh --switch ADDRESS [--community NAME | --credential-file FILE]
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
cd "$here"
once=false switch='' community='' credential=''
usage() {
	sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
	exit 2
}
while [ $# -gt 0 ]; do
	case $1 in
	--once) once=true ;;
	--switch) switch=${2:-} && shift ;;
	--community) community=${2:-} && shift ;;
	--credential-file) credential=${2:-} && shift ;;
	*) usage ;;
	esac
	shift || usage
done
. packaging/deps.sh
need_packages "${BUILD_PACKAGES[@]}" "${RUN_PACKAGES[@]}"
export PATH="$PATH:/usr/sbin:/sbin"
say() { printf '\n== %s\n' "$*"; }
say "Building (half a minute the first time)"
cmake --preset release >/dev/null
cmake --build --preset release -j "$(nproc)" --target camtrapd camtrapctl campus >"$here/build/try-build.log" 2>&1 || {
	tail -40 "$here/build/try-build.log" >&2
	exit 1
}
bin=$here/build/release
lab=$(mktemp -d "${TMPDIR:-/tmp}/camtrapd-try.XXXXXX")
pids=()
cleanup() {
	local p
	for p in "${pids[@]}"; do kill "$p" 2>/dev/null || true; done
	for p in "${pids[@]}"; do wait "$p" 2>/dev/null || true; done
	rm -rf "$lab"
}
trap cleanup EXIT
trap 'exit 130' INT TERM
free_port() { python3 -c 'import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

trap_port=$(free_port)
mkdir -m 700 "$lab/trapd"
printf 'authCommunity log public\n' >"$lab/trapd/snmptrapd.conf"
SNMP_PERSISTENT_DIR=$lab/trapd MIBDIRS=$here/mibs MIBS= snmptrapd -f -C -c "$lab/trapd/snmptrapd.conf" -On -Lf "$lab/trapd.log" \
	"udp:127.0.0.1:$trap_port" &
pids+=($!)

if [ -n "$switch" ]; then
	[ -n "$credential$community" ] || community=public
	if [ -n "$credential" ]; then
		cp "$credential" "$lab/credentials.conf"
	else
		printf 'credentials = ( { name = "campus"; version = "2c"; community = "%s"; } );\n' "$community" >"$lab/credentials.conf"
	fi
	name=$(sed -n 's/.*name *= *"\([^"]*\)".*/\1/p' "$lab/credentials.conf" | head -n 1)
	{
		cat "$lab/credentials.conf"
		printf 'sites = ( { name = "here"; sensitivity = "sensitive"; } );\n'
		printf 'switches = ( { name = "%s"; address = "%s"; site = "here"; credential = "%s"; } );\n' "$switch" "$switch" "$name"
	} >"$lab/network.conf"
	receiver_credential=try
else
	sim_port=$(free_port)
	"$bin/tests/sim/campus" --switches 50 --hosts 20 --cameras 5 --seed 1 --port "$sim_port" --control "$lab/campus.sock" \
		--config "$lab/network.conf" >"$lab/campus.log" 2>&1 &
	pids+=($!)
	for _ in $(seq 100); do grep -q ready "$lab/campus.log" && break || sleep 0.1; done
	receiver_credential=campus
fi
{
	printf 'agent = { name = "try"; state_dir = "%s/state"; run_dir = "%s/run"; };\n' "$lab" "$lab"
	if [ "$receiver_credential" = try ]; then
		sed 's/^credentials = (/credentials = ( { name = "try"; version = "2c"; community = "public"; },/' "$lab/network.conf"
	else
		cat "$lab/network.conf"
	fi
	printf 'switch_defaults = { poll_interval = "5s"; };\n'
	printf 'policy = [ "%s/conf/policy.d/uk-2022.conf", "%s/conf/policy.d/us-ndaa-889.conf" ];\n' "$here" "$here"
	printf 'receivers = ( { name = "noc"; type = "snmp"; address = "127.0.0.1:%s"; credential = "%s"; inform = true; } );\n' \
		"$trap_port" "$receiver_credential"
} >"$lab/camtrapd.conf"
chmod 600 "$lab/camtrapd.conf"
# Where the package is installed, a daemon started by root becomes its user.
if [ "$(id -u)" -eq 0 ] && id -u _camtrapd >/dev/null 2>&1; then
	chmod 711 "$lab"
	chown _camtrapd: "$lab/camtrapd.conf"
	install -d -o _camtrapd -g _camtrapd "$lab/state" "$lab/run"
fi
[ -n "$switch" ] && sed -i 's/poll_interval = "5s"/poll_interval = "60s"/' "$lab/camtrapd.conf"
ctl() { "$bin/camtrapctl" -c "$lab/camtrapd.conf" "$@"; }

"$bin/camtrapd" -c "$lab/camtrapd.conf" -f 2>"$lab/camtrapd.log" &
pids+=($!)
daemon=$!
say "First sweep"
progress='import json, sys
s = json.load(sys.stdin); f = s.get("firstSweep", {}); w = s.get("switches", {})
print("%d of %d switches polled, %d unreachable" % (f.get("done", 0), f.get("total", 0), w.get("unreachable", 0)))
sys.exit(0 if f.get("total") and f.get("done") == f.get("total") else 1)'
swept=false last=''
# A real switch may be a large one; it answers when it can.
limit=$((SECONDS + $([ -n "$switch" ] && echo 300 || echo 60)))
while [ $SECONDS -lt $limit ]; do
	kill -0 "$daemon" 2>/dev/null || { cat "$lab/camtrapd.log" >&2; exit 1; }
	if grep -q 'keeps ending\|ended more than' "$lab/camtrapd.log"; then break; fi
	if line=$(ctl --json status 2>/dev/null | python3 -c "$progress" 2>/dev/null); then swept=true; fi
	[ -n "$line" ] && [ "$line" != "$last" ] && printf '   %s\n' "$line" && last=$line
	$swept && break
	sleep 0.1
done
$swept || { echo "the first sweep did not end in time; the daemon said:" >&2; tail -20 "$lab/camtrapd.log" >&2; exit 1; }
sleep 1
say "Restricted devices that were there already"
ctl devices || true

if [ -n "$switch" ]; then
	say "What was understood of $switch"
	ctl switches || true
	exit 0
fi

campus() {
	printf '%s\n' "$*" | python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); s.sendall(sys.stdin.buffer.read()); print(s.recv(4096).decode().strip())' "$lab/campus.sock"
}
say "Plugging a camera (44:19:b6:12:34:56) into acc-007, port 4"
plugged=$(date +%s%3N)
campus plug acc-007 4 44:19:b6:12:34:56 vlan 20 lldp HIKVISION DS-2CD2143G2-I ip 10.20.0.77 >/dev/null
arrived=false
for _ in $(seq 300); do
	grep -qi '44 19 B6 12 34 56' "$lab/trapd.log" && arrived=true && break
	sleep 0.1
done
$arrived || { echo "no inform arrived in 30 s; the daemon said:" >&2; tail -20 "$lab/camtrapd.log" >&2; exit 1; }
say "The inform arrived at snmptrapd $(($(date +%s%3N) - plugged)) ms after the plug-in (poll interval here: 5 s) and was acknowledged"
id=$(ctl --json find 44:19:b6:12:34:56 >/dev/null 2>&1; ctl --json devices | python3 -c 'import json, sys
print(next(d["id"] for d in json.load(sys.stdin)["devices"] if d["mac"] == "44:19:b6:12:34:56"))')
ctl device "$id"
$once && exit 0
say "What next"
cat <<EOF
   $bin/camtrapctl -c $lab/camtrapd.conf status    (or: devices, find 10.20, events, switches)
   snmptrapd's own words: $lab/trapd.log
   Your own network: copy conf/camtrapd.conf, then  camtrapd --check -c FILE  and  camtrapctl probe ADDRESS
EOF
say "Running until Ctrl-C; events as they come. Type:  unplug 44:19:b6:12:34:56  or  plug acc-012 3 c0:56:e3:00:00:09 vlan 20"
ctl events --follow &
pids+=($!)
while read -r line; do
	[ -z "$line" ] || campus "$line"
done
wait "$!"
