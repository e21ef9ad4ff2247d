/* tests/sim/network.c: see network.h. */
#include "network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct network network;
const int network_vlans[N_VLANS] = { VLAN_SWITCHES, VLAN_HOSTS, VLAN_CAMERAS };

static int32_t *by_mac;			/* open addressing; places in network.station, NONE free, GONE was used */
static size_t by_mac_size, by_mac_used;
static int free_place = NONE, cap_station;
static int *silent;			/* stations that wait for their silence to end */
static size_t n_silent, cap_silent;
enum { GONE = -2 };

uint32_t
network_draw(uint32_t below)
{
	network.opt.seed = network.opt.seed * 1664525 + 1013904223;
	return (network.opt.seed >> 8) % below;
}

/* ---- switches */

int
switch_named(const char *name)
{
	for (int i = 0; i < network.n_sw; i++)
		if (strcmp(network.sw[i].name, name) == 0)
			return i;
	return NONE;
}

bool
switch_is_access(int s)
{
	const struct sw *w = &network.sw[s];

	return w->child == NONE && (w->parent != NONE || network.n_sw == 1);
}

int
uplink_port(int s)
{
	return network.sw[s].ports + 1;
}

static const struct sw *
link_at(int s, int port)
{
	if (network.sw[s].parent != NONE && port == uplink_port(s))
		return &network.sw[s];
	for (int c = network.sw[s].child; c != NONE; c = network.sw[c].sibling)
		if (network.sw[c].parent_port == port)
			return &network.sw[c];
	return NULL;
}

int
bridge_port(int s, int port)
{
	const struct sw *l = link_at(s, port);

	return l != NULL && l->lag ? AGGREGATE + port : port;
}

int
member_port(int s, int port, bool second)
{
	if (!second)
		return port;
	return port == uplink_port(s) ? port + 1 : port + network.sw[s].ports / 2;
}

int
port_towards(int s, int at)
{
	for (int i = at; i != NONE; i = network.sw[i].parent)
		if (network.sw[i].parent == s)
			return bridge_port(s, network.sw[i].parent_port);
	return bridge_port(s, uplink_port(s));
}

bool
switch_below(int s, int at)
{
	for (int i = at; i != NONE; i = network.sw[i].parent)
		if (i == s)
			return true;
	return false;
}

int
if_index(int s, int port)
{
	return network.sw[s].if_base + port;
}

const char *
port_name(int s, int port, char out[static PORT_NAME])
{
	const struct sw *w = &network.sw[s];

	if (port > AGGREGATE)
		snprintf(out, PORT_NAME, "Po%d", port - AGGREGATE);
	else if (port > w->ports)
		snprintf(out, PORT_NAME, "Te1/1/%d", port - w->ports);
	else
		snprintf(out, PORT_NAME, "Gi1/0/%d", port);
	return out;
}

bool
port_is_up(int s, int port)
{
	const struct sw *w = &network.sw[s];

	if (port > w->ports || link_at(s, port) != NULL || (port > w->ports / 2 && bridge_port(s, port - w->ports / 2) > AGGREGATE))
		return true;
	return w->on_port[port] > 0;
}

static void
sw_make(int i, int core, int parent, const char *kind, int number)
{
	const struct network_options *o = &network.opt;
	struct sw *s = &network.sw[i];

	snprintf(s->name, sizeof s->name, "%s%0*d", kind, kind[0] == 'a' ? 3 : kind[0] == 'd' ? 2 : 1, number);
	s->mac = 0x00c0de000000ull + ((uint64_t)i << 8);
	s->ip = o->first + (uint32_t)i + (uint32_t)i / 200 * 56;	/* leaves out .0 and .255 */
	s->core = core;
	s->parent = parent;
	s->child = s->sibling = s->stations = NONE;
	s->stale = true;
	s->if_base = IF_BASE;
	s->engine.boots = 1;
	s->ports = o->ports;
	memcpy(s->engine.id, "\x80\x00\x7e\xd9\x03", 5);	/* RFC 3411: 32473 (RFC 5612), a MAC address follows */
	for (int k = 0; k < 6; k++)
		s->engine.id[5 + k] = (uint8_t)(s->mac >> 8 * (5 - k));
	if (parent == NONE)
		return;
	s->parent_port = network.sw[parent].child == NONE ? 1 : network.sw[network.sw[parent].child].parent_port + 1;
	s->sibling = network.sw[parent].child;
	network.sw[parent].child = i;
	s->lag = (int)network_draw(100) < o->lag;
	s->speech = (int)network_draw(100) < o->cdp ? SPEAKS_CDP : SPEAKS_LLDP;
}

/* One tree of `n` switches, the first of them `first`. Ports of whoever has switches below are twice those, for aggregates. */
static void
tree_make(int first, int n)
{
	static int cores, dists, accesses;
	int n_dist = n >= 3 ? (n - 1 + PER_DISTRIBUTION) / (PER_DISTRIBUTION + 1) : 0;

	if (n_dist >= n - 1)
		n_dist = n >= 3 ? 1 : 0;
	sw_make(first, first, NONE, n == 1 ? "acc-" : "core-", n == 1 ? ++accesses : ++cores);
	for (int i = 1; i < n; i++) {
		if (i <= n_dist) {
			sw_make(first + i, first, first, "dist-", ++dists);
		} else {
			sw_make(first + i, first, n_dist > 0 ? first + 1 + (i - n_dist - 1) % n_dist : first, "acc-", ++accesses);
			network.sw[first + i].contexts = (int)network_draw(100) < network.opt.contexts;
		}
	}
	for (int i = first; i < first + n; i++) {
		struct sw *s = &network.sw[i];
		int most = s->child != NONE ? network.sw[s->child].parent_port : 0;

		if (s->ports < 2 * most)
			s->ports = 2 * most;
		if (s->ports > PORTS_MAX) {
			fprintf(stderr, "campus: a tree of %d switches is too large\n", n);
			exit(2);
		}
	}
}

/* ---- stations */

static size_t
slot_of(uint64_t mac)
{
	return (size_t)((mac * 0x9e3779b97f4a7c15ull) >> 20) & (by_mac_size - 1);
}

static void
index_grow(void)
{
	free(by_mac);
	by_mac_size = 1024;
	while (by_mac_size < 4 * (size_t)(network.n_station + 1))
		by_mac_size *= 2;
	by_mac_used = 0;
	if ((by_mac = malloc(by_mac_size * sizeof *by_mac)) == NULL)
		exit(1);
	for (size_t i = 0; i < by_mac_size; i++)
		by_mac[i] = NONE;
	for (int i = 0; i < network.n_station; i++) {
		size_t k = slot_of(network.station[i].mac);

		if (network.station[i].mac == 0)
			continue;
		while (by_mac[k] != NONE)
			k = (k + 1) & (by_mac_size - 1);
		by_mac[k] = i;
		by_mac_used++;
	}
}

struct station *
station_find(uint64_t mac)
{
	for (size_t k = by_mac_size > 0 ? slot_of(mac) : 0; by_mac_size > 0 && by_mac[k] != NONE; k = (k + 1) & (by_mac_size - 1))
		if (by_mac[k] != GONE && network.station[by_mac[k]].mac == mac)
			return &network.station[by_mac[k]];
	return NULL;
}

bool
station_restricted(const struct station *t)
{
	return t->mac >> 24 == 0x4419b6 || t->mac >> 24 == 0x3cef8c;
}

static void
tree_stale(int s)
{
	for (int i = network.sw[s].core; i < network.n_sw && network.sw[i].core == network.sw[s].core; i++)
		network.sw[i].stale = true;
}

void
station_changed(const struct station *t)
{
	if (network.opt.flood)
		tree_stale(t->sw);
	for (int i = t->sw; i != NONE; i = network.sw[i].parent)
		network.sw[i].stale = true;
}

static void
attach(struct station *t, int sw, int port)
{
	struct sw *s = &network.sw[sw];
	int place = (int)(t - network.station);

	t->sw = sw;
	t->heard = ++network.n_heard;
	t->port = port;
	t->prev = NONE;
	t->next = s->stations;
	if (s->stations != NONE)
		network.station[s->stations].prev = place;
	s->stations = place;
	s->on_port[port]++;
	station_changed(t);
}

static void
detach(struct station *t)
{
	struct sw *s = &network.sw[t->sw];

	station_changed(t);
	if (t->prev != NONE)
		network.station[t->prev].next = t->next;
	else
		s->stations = t->next;
	if (t->next != NONE)
		network.station[t->next].prev = t->prev;
	s->on_port[t->port]--;
}

static int
place_take(void)
{
	int place = free_place;

	if (place != NONE) {
		free_place = network.station[place].next;
		return place;
	}
	if (network.n_station == cap_station) {
		cap_station = cap_station == 0 ? 1024 : cap_station * 2;
		if ((network.station = realloc(network.station, (size_t)cap_station * sizeof *network.station)) == NULL)
			exit(1);
	}
	return network.n_station++;
}

struct station *
station_add(uint64_t mac, int sw, int port, int vlan)
{
	struct station *t;
	size_t k;
	int place;

	if (mac == 0 || station_find(mac) != NULL)
		return NULL;
	place = place_take();
	network.station[place] = (struct station){ 0 };
	if (2 * (by_mac_used + 1) > by_mac_size)
		index_grow();
	t = &network.station[place];
	*t = (struct station){ .mac = mac, .vlan = vlan, .claims = NONE };
	for (k = slot_of(mac); by_mac[k] >= 0; k = (k + 1) & (by_mac_size - 1))
		;
	by_mac_used += by_mac[k] == NONE;
	by_mac[k] = place;
	attach(t, sw, port);
	return t;
}

void
station_move(struct station *t, int sw, int port)
{
	detach(t);
	attach(t, sw, port);
}

void
station_remove(struct station *t)
{
	int place = (int)(t - network.station);

	detach(t);
	for (size_t k = slot_of(t->mac); by_mac[k] != NONE; k = (k + 1) & (by_mac_size - 1))
		if (by_mac[k] == place)
			by_mac[k] = GONE;
	free(t->maker);
	free(t->model);
	*t = (struct station){ .next = free_place };
	free_place = place;
}

void
station_said(struct station *t, const char *maker, const char *model)
{
	free(t->maker);
	free(t->model);
	t->maker = strdup(maker);
	t->model = strdup(model);
	station_changed(t);
}

void
station_silence(struct station *t, int64_t ms)
{
	int place = (int)(t - network.station);

	t->silent_until = network.now + ms;
	station_changed(t);
	if (n_silent == cap_silent) {
		cap_silent = cap_silent == 0 ? 64 : cap_silent * 2;
		if ((silent = realloc(silent, cap_silent * sizeof *silent)) == NULL)
			exit(1);
	}
	silent[n_silent++] = place;
}

int64_t
network_tick(void)
{
	int64_t next = -1;
	size_t kept = 0;

	for (size_t i = 0; i < n_silent; i++) {
		const struct station *t = &network.station[silent[i]];
		int64_t left = t->silent_until - network.now;

		if (t->mac == 0)
			continue;
		if (left <= 0) {
			station_changed(t);
			continue;
		}
		next = next < 0 || left < next ? left : next;
		silent[kept++] = silent[i];
	}
	n_silent = kept;
	return next;
}

/* Ordinary stations from the last port downwards, two to a port where ports are short; the first three are left for cameras. */
static void
hosts_make(int s)
{
	static const uint32_t ouis[] = { 0x001422, 0x3cd92b, 0x54ee75 };	/* Dell, HP, Wistron: nobody's cameras */
	const struct sw *w = &network.sw[s];

	for (int h = 0; h < network.opt.hosts; h++) {
		uint64_t low = (uint64_t)s << 9 | (uint64_t)h;
		struct station *t = station_add((uint64_t)ouis[network_draw(3)] << 24 | (low & 0xffffff), s, w->ports - h % (w->ports - 4), VLAN_HOSTS);

		if (t != NULL)
			t->ip = 0x0a000000 + (uint32_t)s * 512 + (uint32_t)h + 1;
	}
}

static void
stations_make(void)
{
	int *access = calloc((size_t)network.n_sw, sizeof *access), n = 0;

	for (int s = 0; s < network.n_sw; s++)
		if (switch_is_access(s)) {
			hosts_make(s);
			access[n++] = s;
		}
	for (int c = 0; c < network.opt.cameras && n > 0; c++)
		station_add((uint64_t)(c % 2 == 0 ? 0x4419b6 : 0x3cef8c) << 24 | (0x100000u + (uint32_t)c), access[c * 7 % n],
		    1 + c * 7 / n % 3, VLAN_CAMERAS);
	free(access);
}

void
network_make(const struct network_options *opt)
{
	network.opt = *opt;
	network.n_sw = opt->switches;
	if ((network.sw = calloc((size_t)opt->switches, sizeof *network.sw)) == NULL)
		exit(1);
	for (int i = 0; i < opt->switches; i += opt->tree)
		tree_make(i, opt->switches - i < opt->tree ? opt->switches - i : opt->tree);
	stations_make();
}

void
network_free(void)
{
	for (int i = 0; i < network.n_sw; i++) {
		objects_free(&network.sw[i].objects);
		for (int v = 0; v < N_VLANS; v++)
			objects_free(&network.sw[i].per_vlan[v]);
	}
	for (int i = 0; i < network.n_station; i++) {
		free(network.station[i].maker);
		free(network.station[i].model);
	}
	free(network.sw);
	free(network.station);
	free(by_mac);
	free(silent);
}
