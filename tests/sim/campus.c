/* tests/sim/campus.c: an emulated campus on loopback: core, distribution and access switches at their own addresses, with
 * FDB, LLDP, MED and ARP tables computed from one topology and one seed, and a control socket to plug, unplug and move.
 *
 * On purpose: ifIndex is 10100 + the bridge port, the FDB id is 1000 + the VLAN. */
#include <arpa/inet.h>
#include <ctype.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"

#define ACCESS_PORTS 24
#define UPLINK_PORT (ACCESS_PORTS + 1)
#define STATIONS_MAX 200000
#define IF_BASE 10100
#define FDB_BASE 1000
#define VLAN_HOSTS 10
#define VLAN_CAMERAS 20

struct station {
	uint64_t	mac;
	int		sw, port, vlan;
	bool		restricted;
	uint32_t	ip;			/* host order; 0 none */
	char		maker[32], model[32];	/* "": no LLDP */
	int		claims;			/* says by LLDP that it is this switch; -1: says what it is */
};

struct sw {
	char		name[16];
	uint64_t	mac;
	int		fd, parent, parent_port, ports;
	uint32_t	ip;
	bool		dead, stale;		/* dead: does not answer; frames go through it all the same */
	struct objects	objects;
};

static struct {
	int		switches, port, hosts, cameras, ageing, seconds;
	bool		flood;
	uint32_t	first, seed;
	const char	*control, *community, *config;
} opt = { .switches = 50, .port = 16161, .hosts = 20, .cameras = 5, .ageing = 300, .seconds = 3600, .first = 0x7f0a0001, .seed = 1,
	.community = "public" };

static struct sw *sws;
static struct station stations[STATIONS_MAX];
static int n_stations, n_dist;
static struct timespec started;
static volatile sig_atomic_t stopped;

static uint32_t
draw(uint32_t below)
{
	opt.seed = opt.seed * 1664525 + 1013904223;
	return (opt.seed >> 8) % below;
}

/* ---- topology */

static bool
is_access(int s)
{
	return opt.switches < 3 ? s > 0 || opt.switches == 1 : s > n_dist;
}

static void
topology_make(void)
{
	int in_dist[512] = { 0 };

	n_dist = opt.switches >= 3 ? (opt.switches - 1 + 12) / 13 : 0;
	if (n_dist >= opt.switches - 1)
		n_dist = opt.switches >= 3 ? 1 : 0;
	for (int i = 0; i < opt.switches; i++) {
		struct sw *s = &sws[i];

		s->mac = 0x02c0de000000ull + ((uint64_t)i << 8);
		s->mac = (s->mac & ~0x020000000000ull) | 0x000000000000ull;
		s->ip = opt.first + (uint32_t)i + (uint32_t)i / 200 * 56;	/* leaves out .0 and .255 */
		s->stale = true;
		s->ports = UPLINK_PORT;
		if (i == 0) {
			snprintf(s->name, sizeof s->name, "core-1");
			s->parent = -1;
			s->ports = n_dist > 24 ? n_dist + 1 : UPLINK_PORT;
		} else if (!is_access(i)) {
			snprintf(s->name, sizeof s->name, "dist-%02d", i % 100);
			s->parent = 0;
			s->parent_port = i;
		} else {
			int d = n_dist > 0 ? 1 + (i - n_dist - 1) % n_dist : 0;

			snprintf(s->name, sizeof s->name, "acc-%03d", (i - n_dist) % 1000);
			s->parent = d;
			s->parent_port = ++in_dist[d];
		}
	}
}

/* The port of `s` through which frames of something on `at` come. */
static int
port_towards(int s, int at)
{
	for (int i = at; i >= 0; i = sws[i].parent)
		if (sws[i].parent == s)
			return sws[i].parent_port;
	return UPLINK_PORT;
}

static bool
is_below(int s, int at)
{
	for (int i = at; i >= 0; i = sws[i].parent)
		if (i == s)
			return true;
	return false;
}

static void
path_stale(int at)
{
	for (int i = 0; i < opt.switches && opt.flood; i++)
		sws[i].stale = true;
	for (int i = at; i >= 0; i = sws[i].parent)
		sws[i].stale = true;
}

/* ---- objects of one switch */

static const char *
port_name(int s, int port, char out[static 16])
{
	snprintf(out, 16, port == UPLINK_PORT && s > 0 ? "Te1/1/1" : "Gi1/0/%d", port);
	return out;
}

static void
mac_octets(uint64_t mac, uint8_t out[static 6])
{
	for (int i = 0; i < 6; i++)
		out[i] = (uint8_t)(mac >> 8 * (5 - i));
}

static void
text_object(struct objects *o, const char *oid, const uint32_t *index, size_t n, const char *text)
{
	object_add(o, oid, index, n, 4, text, strlen(text));
}

static bool
port_is_up(int s, int port)
{
	if ((port == UPLINK_PORT && s > 0))
		return true;
	for (int i = 0; i < opt.switches; i++)
		if (sws[i].parent == s && sws[i].parent_port == port)
			return true;
	for (int i = 0; i < n_stations; i++)
		if (stations[i].sw == s && stations[i].port == port)
			return true;
	return false;
}

static void
system_objects(struct objects *o, int s)
{
	static const uint8_t object_id[] = { 0x2b, 6, 1, 4, 1, 0x81, 0xfd, 0x59, 1, 1 };	/* 1.3.6.1.4.1.32473.1.1 */
	struct timespec now;
	uint32_t zero = 0;
	uint8_t mac[6];

	clock_gettime(CLOCK_MONOTONIC, &now);
	text_object(o, "1.3.6.1.2.1.1.1", &zero, 1, "Emulated campus switch");
	object_add(o, "1.3.6.1.2.1.1.2", &zero, 1, 6, object_id, sizeof object_id);
	object_number(o, "1.3.6.1.2.1.1.3", &zero, 1, 0x43, 360000 + (now.tv_sec - started.tv_sec) * 100);
	text_object(o, "1.3.6.1.2.1.1.5", &zero, 1, sws[s].name);
	mac_octets(sws[s].mac, mac);
	object_add(o, "1.3.6.1.2.1.17.1.1", &zero, 1, 4, mac, 6);
	object_number(o, "1.3.6.1.2.1.17.1.2", &zero, 1, 2, sws[s].ports);
	object_number(o, "1.3.6.1.2.1.17.4.2", &zero, 1, 2, opt.ageing);
}

static void
port_objects(struct objects *o, int s)
{
	char name[16];
	uint8_t mac[6];

	for (int p = 1; p <= sws[s].ports; p++) {
		uint32_t i = IF_BASE + (uint32_t)p, b = (uint32_t)p;

		port_name(s, p, name);
		object_number(o, "1.3.6.1.2.1.2.2.1.1", &i, 1, 2, i);
		text_object(o, "1.3.6.1.2.1.2.2.1.2", &i, 1, name);
		object_number(o, "1.3.6.1.2.1.2.2.1.3", &i, 1, 2, 6);
		mac_octets(sws[s].mac + (uint64_t)p, mac);
		object_add(o, "1.3.6.1.2.1.2.2.1.6", &i, 1, 4, mac, 6);
		object_number(o, "1.3.6.1.2.1.2.2.1.7", &i, 1, 2, 1);
		object_number(o, "1.3.6.1.2.1.2.2.1.8", &i, 1, 2, port_is_up(s, p) ? 1 : 2);
		text_object(o, "1.3.6.1.2.1.31.1.1.1.1", &i, 1, name);
		text_object(o, "1.3.6.1.2.1.31.1.1.1.18", &i, 1, p == UPLINK_PORT ? "uplink" : "");
		object_number(o, "1.3.6.1.2.1.17.1.4.1.2", &b, 1, 2, i);
		object_number(o, "1.0.8802.1.1.2.1.3.7.1.2", &b, 1, 2, 5);
		text_object(o, "1.0.8802.1.1.2.1.3.7.1.3", &b, 1, name);
		text_object(o, "1.0.8802.1.1.2.1.3.7.1.4", &b, 1, name);
	}
}

static void
fdb_object(struct objects *o, uint64_t mac, int vlan, int port, int status)
{
	uint32_t index[7] = { FDB_BASE + (uint32_t)vlan };

	for (int i = 0; i < 6; i++)
		index[1 + i] = (uint32_t)(mac >> 8 * (5 - i) & 0xff);
	object_number(o, "1.3.6.1.2.1.17.7.1.2.2.1.2", index, 7, 2, port);
	object_number(o, "1.3.6.1.2.1.17.7.1.2.2.1.3", index, 7, 2, status);
}

static void
fdb_objects(struct objects *o, int s)
{
	static const uint32_t vlans[] = { 1, VLAN_HOSTS, VLAN_CAMERAS };

	for (size_t i = 0; i < 3; i++) {
		uint32_t index[2] = { 0, vlans[i] };

		object_number(o, "1.3.6.1.2.1.17.7.1.4.2.1.3", index, 2, 0x42, FDB_BASE + vlans[i]);
	}
	/* Broadcasts reach every switch, so each learns each station on the port towards it; without them only those on the way up. */
	for (int i = 0; i < n_stations; i++)
		if (opt.flood || is_below(s, stations[i].sw))
			fdb_object(o, stations[i].mac, stations[i].vlan, stations[i].sw == s ? stations[i].port :
			    port_towards(s, stations[i].sw), 3);
	for (int i = 0; i < opt.switches; i++)
		fdb_object(o, sws[i].mac, 1, i == s ? UPLINK_PORT : port_towards(s, i), i == s ? 4 : 3);
}

static void
neighbour_objects(struct objects *o, int local_port, uint32_t rem, const uint8_t mac[static 6], const char *port_id, const char *name,
    const char *descr, uint16_t caps, uint32_t ip)
{
	uint32_t index[3] = { 0, (uint32_t)local_port, rem };
	uint32_t address[9] = { 0, (uint32_t)local_port, rem, 1, 4, ip >> 24, ip >> 16 & 255, ip >> 8 & 255, ip & 255 };
	uint8_t bits[2] = { (uint8_t)(caps >> 8), (uint8_t)caps };

	object_number(o, "1.0.8802.1.1.2.1.4.1.1.4", index, 3, 2, 4);
	object_add(o, "1.0.8802.1.1.2.1.4.1.1.5", index, 3, 4, mac, 6);
	object_number(o, "1.0.8802.1.1.2.1.4.1.1.6", index, 3, 2, port_id != NULL ? 5 : 3);
	if (port_id != NULL)
		text_object(o, "1.0.8802.1.1.2.1.4.1.1.7", index, 3, port_id);
	else
		object_add(o, "1.0.8802.1.1.2.1.4.1.1.7", index, 3, 4, mac, 6);
	text_object(o, "1.0.8802.1.1.2.1.4.1.1.8", index, 3, port_id != NULL ? port_id : "eth0");
	text_object(o, "1.0.8802.1.1.2.1.4.1.1.9", index, 3, name);
	text_object(o, "1.0.8802.1.1.2.1.4.1.1.10", index, 3, descr);
	object_add(o, "1.0.8802.1.1.2.1.4.1.1.11", index, 3, 4, bits, 2);
	object_add(o, "1.0.8802.1.1.2.1.4.1.1.12", index, 3, 4, bits, 2);
	if (ip != 0)
		object_number(o, "1.0.8802.1.1.2.1.4.2.1.3", address, 9, 2, 2);
}

static void
lldp_objects(struct objects *o, int s)
{
	char name[16];
	uint8_t mac[6];
	uint32_t rem = 1;

	for (int i = 0; i < opt.switches; i++) {
		if (sws[i].parent != s && sws[s].parent != i)
			continue;
		mac_octets(sws[i].mac, mac);
		neighbour_objects(o, port_towards(s, i), rem++, mac, port_name(i, port_towards(i, s), name), sws[i].name,
		    "Emulated campus switch", 0x2000, sws[i].ip);
	}
	for (int i = 0; i < n_stations; i++) {
		const struct station *t = &stations[i];
		uint32_t index[3] = { 0, (uint32_t)t->port, rem };

		if (t->sw != s || (t->maker[0] == '\0' && t->claims < 0))
			continue;
		if (t->claims >= 0) {
			mac_octets(sws[t->claims].mac, mac);
			neighbour_objects(o, t->port, rem++, mac, "Te1/1/1", sws[t->claims].name, "Emulated campus switch", 0x2000,
			    sws[t->claims].ip);
			continue;
		}
		mac_octets(t->mac, mac);
		neighbour_objects(o, t->port, rem++, mac, NULL, t->model, t->model, 0x0100, t->ip);
		text_object(o, "1.0.8802.1.1.2.1.5.4795.1.3.3.1.5", index, 3, t->maker);
		text_object(o, "1.0.8802.1.1.2.1.5.4795.1.3.3.1.6", index, 3, t->model);
	}
}

static void
arp_objects(struct objects *o)
{
	for (int i = 0; i < n_stations; i++) {
		const struct station *t = &stations[i];
		uint32_t index[5] = { IF_BASE + 1, t->ip >> 24, t->ip >> 16 & 255, t->ip >> 8 & 255, t->ip & 255 };
		uint8_t mac[6];

		if (t->ip == 0)
			continue;
		mac_octets(t->mac, mac);
		object_add(o, "1.3.6.1.2.1.4.22.1.2", index, 5, 4, mac, 6);
	}
}

static void
objects_make(int s)
{
	struct objects *o = &sws[s].objects;

	o->n = 0;
	system_objects(o, s);
	port_objects(o, s);
	fdb_objects(o, s);
	lldp_objects(o, s);
	if (s == 0)
		arp_objects(o);
	objects_sort(o);
	sws[s].stale = false;
}

/* ---- stations */

static struct station *
station_find(uint64_t mac)
{
	for (int i = 0; i < n_stations; i++)
		if (stations[i].mac == mac)
			return &stations[i];
	return NULL;
}

static bool
is_restricted(uint64_t mac)
{
	return mac >> 24 == 0x4419b6 || mac >> 24 == 0x3cef8c;
}

static struct station *
station_add(uint64_t mac, int sw, int port, int vlan)
{
	struct station *t;

	if (n_stations == STATIONS_MAX || station_find(mac) != NULL)
		return NULL;
	t = &stations[n_stations++];
	*t = (struct station){ .mac = mac, .sw = sw, .port = port, .vlan = vlan, .restricted = is_restricted(mac), .claims = -1 };
	path_stale(sw);
	sws[0].stale = true;
	return t;
}

static void
station_remove(struct station *t)
{
	path_stale(t->sw);
	*t = stations[--n_stations];
}

static void
stations_make(void)
{
	static const uint32_t ouis[] = { 0x001422, 0x3cd92b, 0x54ee75 };	/* Dell, HP, Wistron: nobody's cameras */
	int first = 0, access = 0;

	for (int s = 0; s < opt.switches; s++) {
		if (!is_access(s))
			continue;
		first = access == 0 ? s : first;
		access++;
		for (int h = 0; h < opt.hosts && h < ACCESS_PORTS - 4; h++) {
			uint64_t low = (uint64_t)s << 8 | (uint64_t)h;
			struct station *t = station_add((uint64_t)ouis[draw(3)] << 24 | low, s, ACCESS_PORTS - h, VLAN_HOSTS);

			if (t != NULL)
				t->ip = 0x0a0a0000 + (uint32_t)(s * 40 + h);
		}
	}
	for (int c = 0; c < opt.cameras && access > 0; c++)
		station_add((uint64_t)(c % 2 == 0 ? 0x4419b6 : 0x3cef8c) << 24 | (0x100000u + (uint32_t)c), first + c * 7 % access, 1 + c * 7 / access % 3,
		    VLAN_CAMERAS);
}

/* ---- the control socket */

static int
switch_named(const char *name)
{
	for (int i = 0; i < opt.switches; i++)
		if (strcmp(sws[i].name, name) == 0)
			return i;
	return -1;
}

static bool
mac_read(const char *text, uint64_t *mac)
{
	int digits = 0;

	for (*mac = 0; *text != '\0'; text++) {
		if (*text == ':')
			continue;
		if (!isxdigit((unsigned char)*text) || ++digits > 12)
			return false;
		*mac = *mac << 4 | (uint64_t)(isdigit((unsigned char)*text) ? *text - '0' : tolower((unsigned char)*text) - 'a' + 10);
	}
	return digits == 12;
}

static const char *
do_plug(int n, char **w)
{
	int s = n > 3 ? switch_named(w[1]) : -1, port = n > 3 ? atoi(w[2]) : 0;
	struct station *t;
	struct in_addr a;
	uint64_t mac;

	if (s < 0 || port < 1 || port > sws[s].ports || !mac_read(w[3], &mac))
		return "error usage: plug SWITCH PORT MAC [vlan N] [lldp MAKER MODEL] [ip ADDRESS] [claims SWITCH]";
	if ((t = station_add(mac, s, port, VLAN_CAMERAS)) == NULL)
		return "error this address is plugged in already";
	for (int i = 4; i + 1 < n;) {
		if (strcmp(w[i], "vlan") == 0)
			t->vlan = atoi(w[i + 1]), i += 2;
		else if (strcmp(w[i], "lldp") == 0 && i + 2 < n) {
			snprintf(t->maker, sizeof t->maker, "%s", w[i + 1]);
			snprintf(t->model, sizeof t->model, "%s", w[i + 2]);
			i += 3;
		} else if (strcmp(w[i], "claims") == 0 && (t->claims = switch_named(w[i + 1])) >= 0)
			i += 2;
		else if (strcmp(w[i], "ip") == 0 && inet_pton(AF_INET, w[i + 1], &a) == 1)
			t->ip = ntohl(a.s_addr), i += 2;
		else
			return "error unknown word";
	}
	return "ok";
}

static const char *
do_command(int n, char **w, FILE *out)
{
	struct station *t;
	uint64_t mac = 0;
	char name[16];
	int s;

	if (n == 0)
		return "error nothing said";
	if (strcmp(w[0], "plug") == 0)
		return do_plug(n, w);
	if (strcmp(w[0], "truth") == 0) {
		for (int i = 0; i < n_stations; i++) {
			uint8_t b[6];

			mac_octets(stations[i].mac, b);
			fprintf(out, "{\"mac\":\"%02x:%02x:%02x:%02x:%02x:%02x\",\"switch\":\"%s\",\"ifIndex\":%d,\"port\":\"%s\",\"vlan\":%d,\"restricted\":%s}\n",
			    b[0], b[1], b[2], b[3], b[4], b[5], sws[stations[i].sw].name, IF_BASE + stations[i].port,
			    port_name(stations[i].sw, stations[i].port, name), stations[i].vlan, stations[i].restricted ? "true" : "false");
		}
		return "ok";
	}
	if (strcmp(w[0], "quit") == 0) {
		stopped = 1;
		return "ok";
	}
	if (n == 2 && (strcmp(w[0], "dead") == 0 || strcmp(w[0], "alive") == 0)) {
		if ((s = switch_named(w[1])) < 0)
			return "error no such switch";
		sws[s].dead = w[0][0] == 'd';
		return "ok";
	}
	if (n < 2 || !mac_read(w[1], &mac) || (t = station_find(mac)) == NULL)
		return "error no such station, or an unknown command (plug, unplug MAC, move MAC SWITCH PORT, dead SWITCH, alive SWITCH, truth, quit)";
	if (strcmp(w[0], "unplug") == 0) {
		station_remove(t);
		return "ok";
	}
	if (strcmp(w[0], "move") == 0 && n == 4 && (s = switch_named(w[2])) >= 0 && atoi(w[3]) >= 1 && atoi(w[3]) <= sws[s].ports) {
		path_stale(t->sw);
		t->sw = s;
		t->port = atoi(w[3]);
		path_stale(s);
		return "ok";
	}
	return "error unknown command";
}

static void
control_serve(int listener)
{
	int fd = accept(listener, NULL, NULL);
	struct timeval limit = { 2, 0 };
	char line[512], *words[16], *save = NULL;
	struct timespec now;
	const char *said;
	FILE *io;
	int n = 0;

	if (fd < 0)
		return;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	if ((io = fdopen(fd, "r+")) == NULL) {
		close(fd);
		return;
	}
	if (fgets(line, sizeof line, io) != NULL) {
		for (char *w = strtok_r(line, " \r\n", &save); w != NULL && n < 16; w = strtok_r(NULL, " \r\n", &save))
			words[n++] = w;
		rewind(io);
		said = do_command(n, words, io);
		clock_gettime(CLOCK_REALTIME, &now);
		fprintf(io, "%s %lld%06ld\n", said, (long long)now.tv_sec, now.tv_nsec / 1000);
	}
	fclose(io);
}

/* ---- start */

static void
config_write(void)
{
	FILE *f = fopen(opt.config, "w");
	char text[INET_ADDRSTRLEN];

	if (f == NULL) {
		perror(opt.config);
		exit(1);
	}
	fprintf(f, "sites = ( { name = \"hq\"; sensitivity = \"sensitive\"; }, { name = \"depot\"; sensitivity = \"standard\"; } );\n"
	    "credentials = ( { name = \"campus\"; version = \"2c\"; community = \"%s\"; } );\nswitches = (\n", opt.community);
	for (int i = 0; i < opt.switches; i++) {
		struct in_addr a = { htonl(sws[i].ip) };

		inet_ntop(AF_INET, &a, text, sizeof text);
		fprintf(f, "  { name = \"%s\"; address = \"%s:%d\"; site = \"%s\"; credential = \"campus\"; }%s\n", sws[i].name, text, opt.port,
		    i % 2 == 0 ? "hq" : "depot", i + 1 < opt.switches ? "," : " );");
	}
	fclose(f);
}

static int
control_open(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(a.sun_path, sizeof a.sun_path, "%s", opt.control);
	unlink(opt.control);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 16) < 0) {
		perror(opt.control);
		exit(1);
	}
	return fd;
}

static void
socket_open(int s, int poll_fd)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port), .sin_addr.s_addr = htonl(sws[s].ip) };
	struct epoll_event e = { .events = EPOLLIN, .data.u32 = (uint32_t)s };

	sws[s].fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	if (sws[s].fd < 0 || bind(sws[s].fd, (struct sockaddr *)&a, sizeof a) < 0 || epoll_ctl(poll_fd, EPOLL_CTL_ADD, sws[s].fd, &e) < 0) {
		perror(sws[s].name);
		exit(1);
	}
}

static void
serve(int s)
{
	uint8_t in[2048], out[2048];

	for (int i = 0; i < 64; i++) {
		struct sockaddr_in from;
		socklen_t len = sizeof from;
		ssize_t n = recvfrom(sws[s].fd, in, sizeof in, 0, (struct sockaddr *)&from, &len);
		size_t answer;

		if (n < 0)
			return;
		if (sws[s].dead)
			continue;
		if (sws[s].stale)
			objects_make(s);
		if ((answer = agent_answer(&sws[s].objects, opt.community, in, (size_t)n, out)) > 0)
			sendto(sws[s].fd, out, answer, 0, (struct sockaddr *)&from, len);
	}
}

static void
stop_cb(int sig)
{
	(void)sig;
	stopped = 1;
}

static void
options_read(int argc, char **argv)
{
	static const struct option options[] = { { "switches", 1, NULL, 'n' }, { "port", 1, NULL, 'p' }, { "first", 1, NULL, 'f' },
		{ "hosts", 1, NULL, 'h' }, { "cameras", 1, NULL, 'c' }, { "seed", 1, NULL, 's' }, { "ageing", 1, NULL, 'a' },
		{ "control", 1, NULL, 'C' }, { "community", 1, NULL, 'm' }, { "config", 1, NULL, 'o' }, { "seconds", 1, NULL, 't' }, { "flood", 0, NULL, 'F' },
		{ NULL, 0, NULL, 0 } };
	struct in_addr a;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'n': opt.switches = atoi(optarg); break;
		case 'p': opt.port = atoi(optarg); break;
		case 'f':
			if (inet_pton(AF_INET, optarg, &a) == 1 && ntohl(a.s_addr) >> 24 == 127)
				opt.first = ntohl(a.s_addr);
			break;
		case 'h': opt.hosts = atoi(optarg); break;
		case 'c': opt.cameras = atoi(optarg); break;
		case 's': opt.seed = (uint32_t)atoi(optarg); break;
		case 'a': opt.ageing = atoi(optarg); break;
		case 'C': opt.control = optarg; break;
		case 'm': opt.community = optarg; break;
		case 'o': opt.config = optarg; break;
		case 'F': opt.flood = true; break;
		case 't': opt.seconds = atoi(optarg); break;
		default: exit(2);
		}
	}
	if (opt.switches < 1 || opt.switches > 500 || opt.port < 1 || opt.port > 65535) {
		fprintf(stderr, "campus: 1 to 500 switches, a port of 1 to 65535\n");
		exit(2);
	}
}

int
main(int argc, char **argv)
{
	struct epoll_event events[64], control = { .events = EPOLLIN, .data.u32 = UINT32_MAX };
	int poll_fd = epoll_create1(0), listener = -1;

	options_read(argc, argv);
	signal(SIGTERM, stop_cb);
	signal(SIGINT, stop_cb);
	signal(SIGALRM, stop_cb);
	signal(SIGPIPE, SIG_IGN);
	alarm((unsigned)opt.seconds);
	clock_gettime(CLOCK_MONOTONIC, &started);
	if ((sws = calloc((size_t)opt.switches, sizeof *sws)) == NULL)
		return 1;
	topology_make();
	stations_make();
	if (opt.config != NULL)
		config_write();
	for (int i = 0; i < opt.switches; i++)
		socket_open(i, poll_fd);
	if (opt.control != NULL) {
		listener = control_open();
		epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &control);
	}
	printf("ready %d switches\n", opt.switches);
	fflush(stdout);
	while (!stopped) {
		int n = epoll_wait(poll_fd, events, 64, 1000);

		for (int i = 0; i < n; i++) {
			if (events[i].data.u32 == UINT32_MAX)
				control_serve(listener);
			else
				serve((int)events[i].data.u32);
		}
	}
	for (int i = 0; i < opt.switches; i++) {
		close(sws[i].fd);
		free(sws[i].objects.v);
	}
	free(sws);
	if (opt.control != NULL)
		unlink(opt.control);
	return 0;
}
