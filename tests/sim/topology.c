/* tests/sim/topology.c: the tree of switches, and the stations that are plugged into it. Three levels: one core,
 * a distribution switch per 12 access switches (its "block"), and the access switches. */
#include "campus.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/num.h"

#define ACCESS_PER_DIST	12
#define SETTLED_CS	6000		/* what was there from the start came up a minute after boot */

/* Not the project's registry: the emulator says by itself what is a find, or it would prove nothing. */
static const uint8_t restricted_ouis[][3] = {
	{ 0x44, 0x19, 0xb6 }, { 0xc0, 0x56, 0xe3 }, { 0x28, 0x57, 0xbe }, { 0x4c, 0xbd, 0x8f }, { 0xc4, 0x2f, 0x90 },	/* Hikvision */
	{ 0x3c, 0xef, 0x8c }, { 0x90, 0x02, 0xa9 }, { 0x4c, 0x11, 0xbf }, { 0xe0, 0x50, 0x8b }, { 0x38, 0xaf, 0x29 },	/* Dahua */
};
static const uint8_t laptop_ouis[][3] = {
	{ 0x00, 0x14, 0x22 }, { 0x3c, 0xd9, 0x2b }, { 0x8c, 0x16, 0x45 }, { 0xa4, 0x83, 0xe7 },	/* Dell, HP, Lenovo's LCFC, Apple */
};
static const uint8_t switch_oui[3] = { 0x00, 0x1b, 0x54 };

/* A different one for each `i` below 2^24: an odd factor is a permutation. */
static struct mac
mac_made(const uint8_t oui[static 3], uint64_t seed, uint64_t i)
{
	uint32_t low = (uint32_t)(i * 40503 + seed * 7919) & 0xffffff;

	return (struct mac){ { oui[0], oui[1], oui[2], (uint8_t)(low >> 16), (uint8_t)(low >> 8), (uint8_t)low } };
}

bool
mac_parse(const char *text, struct mac *out)
{
	struct mac m;

	if (strlen(text) != 17)
		return false;
	for (size_t i = 0; i < 6; i++) {
		char pair[3] = { text[3 * i], text[3 * i + 1], '\0' };

		if (strspn(pair, "0123456789abcdefABCDEF") != 2 || (i < 5 && text[3 * i + 2] != ':'))
			return false;
		m.b[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	*out = m;
	return true;
}

const char *
mac_text(struct mac mac, char out[static MAC_TEXT])
{
	snprintf(out, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", mac.b[0], mac.b[1], mac.b[2], mac.b[3], mac.b[4], mac.b[5]);
	return out;
}

static bool
is_restricted(struct mac mac)
{
	for (size_t i = 0; i < nitems(restricted_ouis); i++)
		if (memcmp(mac.b, restricted_ouis[i], 3) == 0)
			return true;
	return false;
}

static int64_t
now_cs(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 100 + t.tv_nsec / 10000000;
}

uint32_t
campus_uptime_cs(const struct campus *c, const struct sw *s)
{
	return s->uptime_offset_cs + (uint32_t)(now_cs() - c->started_cs);
}

uint32_t
vlan_fdb_id(const struct campus *c, uint16_t vlan)
{
	for (size_t i = 0; i < c->nvlans; i++)
		if (c->vlans[i] == vlan)
			return c->fdb_ids[i];
	assert(!"a VLAN that was never added");
	return 0;
}

/* FDB IDs go by order of coming, VLANs are kept ascending. All switches know all VLANs, so all are dirty then. */
static bool
vlan_add(struct campus *c, uint16_t vlan)
{
	size_t i = 0;

	while (i < c->nvlans && c->vlans[i] < vlan)
		i++;
	if (i < c->nvlans && c->vlans[i] == vlan)
		return true;
	if (c->nvlans == VLANS_MAX)
		return false;
	memmove(&c->vlans[i + 1], &c->vlans[i], (c->nvlans - i) * sizeof c->vlans[0]);
	memmove(&c->fdb_ids[i + 1], &c->fdb_ids[i], (c->nvlans - i) * sizeof c->fdb_ids[0]);
	c->vlans[i] = vlan;
	c->fdb_ids[i] = 1001 + (uint32_t)c->nvlans++;
	for (unsigned k = 0; k < c->nswitches; k++)
		c->sw[k].dirty = true;
	return true;
}

/* The next address of a campus: no .0 and no .255. */
static uint32_t
address_after(uint32_t a)
{
	do
		a++;
	while ((a & 0xff) == 0 || (a & 0xff) == 0xff);
	return a;
}

static const char *
ports_new(struct sw *s, unsigned first_kind, const char *first_fmt, bool uplink)
{
	s->nports = first_kind + uplink;
	if ((s->ports = calloc(s->nports + 1, sizeof *s->ports)) == NULL)
		return "out of memory";
	for (unsigned n = 1; n <= s->nports; n++) {
		struct port *p = &s->ports[n - 1];

		snprintf(p->name, sizeof p->name, "%s%u", n <= first_kind ? first_fmt : "Te1/1/", n <= first_kind ? n : n - first_kind);
		p->peer = -1;
		p->pvid = n <= first_kind && s->access ? 10 : 1;
	}
	s->uplink = uplink ? s->nports : 0;
	return NULL;
}

/* Joins the uplink of `child` to port `down` of `parent`. */
static void
join(struct campus *c, int child, int parent, unsigned down)
{
	struct sw *s = &c->sw[child], *up = &c->sw[parent];

	s->parent = parent;
	s->parent_port = down;
	up->ports[down - 1].peer = child;
	up->ports[down - 1].peer_port = s->uplink;
	s->ports[s->uplink - 1].peer = parent;
	s->ports[s->uplink - 1].peer_port = down;
	up->ports[down - 1].changed_cs = s->ports[s->uplink - 1].changed_cs = SETTLED_CS;
}

static const char *
switches_build(struct campus *c, unsigned ncore, unsigned ndist, unsigned naccess)
{
	const char *e;
	uint32_t address = c->first;

	for (unsigned i = 0; i < c->nswitches; i++) {
		struct sw *s = &c->sw[i];
		unsigned d = i - ncore, a = i - ncore - ndist;

		s->fd = -1;
		s->parent = -1;
		s->dirty = true;
		s->address = address;
		s->lldp_changed_cs = SETTLED_CS;
		s->uptime_offset_cs = 360000 + (uint32_t)((c->seed + i) * 2654435761u % 100000000);
		/* The last octet is left for the ports: ifPhysAddress is the switch's own plus the port. */
		s->mac = (struct mac){ { switch_oui[0], switch_oui[1], switch_oui[2], (uint8_t)((i + 1) >> 8), (uint8_t)(i + 1), 0 } };
		if (i < ncore) {
			snprintf(s->name, sizeof s->name, "core-1");
			e = ports_new(s, ndist, "Te1/0/", false);
		} else if (i < ncore + ndist) {
			snprintf(s->name, sizeof s->name, "dist-%02u", d + 1);
			/* This many access switches fall to it; see below. */
			e = ports_new(s, ((d + 1) * naccess + ndist - 1) / ndist - (d * naccess + ndist - 1) / ndist, "Te1/0/", ncore > 0);
		} else {
			snprintf(s->name, sizeof s->name, "acc-%03u", a + 1);
			s->access = true;
			e = ports_new(s, ACCESS_PORTS, "Gi1/0/", ndist > 0);
		}
		if (e != NULL)
			return e;
		s->site = s->access && (a + 1) % 2 == 1 ? "depot" : "hq";
		if (i >= ncore + ndist && ndist > 0) {
			unsigned block = a * ndist / naccess;

			join(c, (int)i, (int)(ncore + block), a - (block * naccess + ndist - 1) / ndist + 1);
		} else if (i >= ncore && ncore > 0) {
			join(c, (int)i, 0, d + 1);
		}
		address = address_after(address);
	}
	return NULL;
}

/* The highest access port nothing is plugged into; 0: none. */
static unsigned
port_free(const struct sw *s)
{
	for (unsigned n = ACCESS_PORTS; n > 0; n--)
		if (s->ports[n - 1].stations == 0)
			return n;
	return 0;
}

static const char *
stations_build(struct campus *c, unsigned first_access, unsigned naccess)
{
	const char *e;

	for (unsigned i = 0; i < naccess * c->hosts; i++) {
		struct station st = {
			.mac = mac_made(laptop_ouis[i % nitems(laptop_ouis)], c->seed, i),
			.vlan = 10, .ip = 0x0a0a0000 + i + 1,
			.sw = (int)(first_access + i / c->hosts), .bridge_port = i % c->hosts + 1,
		};

		if ((e = campus_plug(c, &st)) != NULL)
			return e;
	}
	for (unsigned i = 0; i < c->cameras; i++) {
		bool hik = i % 2 == 0;
		struct station st = {
			.mac = mac_made(restricted_ouis[hik ? 0 : 5], c->seed, i),
			.vlan = 20, .ip = 0x0a140000 + i + 1, .lldp = hik, .maker = "HIKVISION", .model = "DS-2CD2143G2-I",
			.sw = (int)(first_access + (unsigned)((uint64_t)i * naccess / c->cameras)),
		};

		if ((st.bridge_port = port_free(&c->sw[st.sw])) == 0)
			return "more hosts and cameras than access ports";
		if ((e = campus_plug(c, &st)) != NULL)
			return e;
	}
	return NULL;
}

const char *
campus_build(struct campus *c)
{
	unsigned n = c->nswitches, ncore = n >= 3, ndist, naccess;
	const char *e;

	assert(n >= 1 && n <= SWITCHES_MAX && c->hosts <= ACCESS_PORTS);
	ndist = n >= 3 ? (n - 1 + ACCESS_PER_DIST) / (ACCESS_PER_DIST + 1) : n == 2;
	naccess = n - ncore - ndist;
	c->started_cs = now_cs();
	if ((c->sw = calloc(n, sizeof *c->sw)) == NULL)
		return "out of memory";
	vlan_add(c, 20), vlan_add(c, 1), vlan_add(c, 10);
	if ((e = switches_build(c, ncore, ndist, naccess)) != NULL || (e = stations_build(c, ncore + ndist, naccess)) != NULL)
		return e;
	/* What was there from the start did not come up now. */
	for (unsigned i = 0; i < n; i++) {
		c->sw[i].lldp_changed_cs = SETTLED_CS;
		for (unsigned k = 0; k < c->sw[i].nports; k++)
			if (c->sw[i].ports[k].stations > 0)
				c->sw[i].ports[k].changed_cs = SETTLED_CS;
	}
	return NULL;
}

void
campus_free(struct campus *c)
{
	for (unsigned i = 0; c->sw != NULL && i < c->nswitches; i++) {
		view_free(c->sw[i].view);
		free(c->sw[i].ports);
	}
	free(c->sw);
	free(c->stations);
}

int
campus_switch(const struct campus *c, const char *name)
{
	for (unsigned i = 0; i < c->nswitches; i++)
		if (strcmp(c->sw[i].name, name) == 0)
			return (int)i;
	return -1;
}

unsigned
campus_port(const struct sw *s, const char *text)
{
	uint64_t n;

	if (num_parse(text, 1, s->nports, &n) == 0)
		return (unsigned)n;
	for (unsigned i = 0; i < s->nports; i++)
		if (strcmp(s->ports[i].name, text) == 0)
			return i + 1;
	return 0;
}

struct station *
campus_station(struct campus *c, struct mac mac)
{
	for (size_t i = 0; i < c->nstations; i++)
		if (c->stations[i].used && memcmp(&c->stations[i].mac, &mac, sizeof mac) == 0)
			return &c->stations[i];
	return NULL;
}

unsigned
campus_towards(const struct campus *c, int from, int to)
{
	if (from == to)
		return 0;
	for (int at = to; at >= 0; at = c->sw[at].parent)
		if (c->sw[at].parent == from)
			return c->sw[at].parent_port;
	return c->sw[from].uplink;		/* not below us, so it is above or beside */
}

bool
campus_hears(const struct campus *c, int sw, const struct station *st)
{
	for (int at = st->sw; at >= 0; at = c->sw[at].parent)
		if (at == sw)
			return true;		/* its frames go up through us */
	return c->flood && c->sw[sw].parent >= 0 && c->sw[sw].parent == c->sw[st->sw].parent;
}

static void
station_changed(struct campus *c, const struct station *st)
{
	/* The root has the ARP table, and is on every path anyway. */
	for (unsigned i = 0; i < c->nswitches; i++)
		if (campus_hears(c, (int)i, st))
			c->sw[i].dirty = true;
	if (st->lldp)
		c->sw[st->sw].lldp_changed_cs = campus_uptime_cs(c, &c->sw[st->sw]);
}

static void
port_plugged(struct campus *c, const struct station *st, int by)
{
	struct sw *s = &c->sw[st->sw];
	struct port *p = &s->ports[st->bridge_port - 1];
	bool was_up = p->stations > 0;

	p->stations += (unsigned)by;
	if (by > 0 && !was_up)
		p->pvid = st->vlan;
	if (was_up != (p->stations > 0))
		p->changed_cs = campus_uptime_cs(c, s);
}

/* Only access ports take stations. */
static const char *
place_wrong(const struct campus *c, int sw, unsigned bridge_port)
{
	if (sw < 0 || (unsigned)sw >= c->nswitches)
		return "no such switch";
	if (bridge_port < 1 || bridge_port > c->sw[sw].nports)
		return "no such port";
	if (c->sw[sw].ports[bridge_port - 1].peer >= 0)
		return "that port leads to another switch";
	return NULL;
}

static struct station *
slot_free(struct campus *c)
{
	/* A look at the last few is enough for what comes and goes; a full search would make building a campus slow. */
	for (size_t i = c->nstations; i > 0 && i + 64 > c->nstations; i--)
		if (!c->stations[i - 1].used)
			return &c->stations[i - 1];
	if (c->nstations == c->stations_cap && array_grow((void **)&c->stations, c->nstations, &c->stations_cap, sizeof *c->stations) < 0)
		return NULL;
	return &c->stations[c->nstations++];
}

const char *
campus_plug(struct campus *c, const struct station *want)
{
	const char *e = place_wrong(c, want->sw, want->bridge_port);
	struct station *st;
	uint16_t vlan = want->vlan;

	if (e != NULL)
		return e;
	if (want->mac.b[0] & 1)
		return "a group address is no station";
	for (unsigned i = 0; i < c->nswitches; i++)
		if (memcmp(&c->sw[i].mac, &want->mac, 6) == 0)
			return "that is the MAC of a switch";
	if (vlan == 0)
		vlan = is_restricted(want->mac) ? 20 : 10;
	if (!vlan_add(c, vlan))
		return "too many VLANs";
	if ((st = slot_free(c)) == NULL)
		return "out of memory";
	*st = *want;
	st->vlan = vlan;
	st->used = st->learned = true;
	st->restricted = is_restricted(st->mac);
	st->rem_index = 100 + ++c->next_rem_index;
	port_plugged(c, st, 1);
	station_changed(c, st);
	return NULL;
}

void
campus_unplug(struct campus *c, struct station *st)
{
	port_plugged(c, st, -1);
	station_changed(c, st);
	st->used = false;
}

void
campus_age(struct campus *c, struct station *st)
{
	st->learned = false;
	for (unsigned i = 0; i < c->nswitches; i++)
		if (campus_hears(c, (int)i, st))
			c->sw[i].dirty = true;
}

const char *
campus_move(struct campus *c, struct station *st, int sw, unsigned bridge_port)
{
	const char *e = place_wrong(c, sw, bridge_port);

	if (e != NULL)
		return e;
	port_plugged(c, st, -1);
	station_changed(c, st);
	st->sw = sw;
	st->bridge_port = bridge_port;
	st->learned = true;
	st->rem_index = 100 + ++c->next_rem_index;
	port_plugged(c, st, 1);
	station_changed(c, st);
	return NULL;
}
