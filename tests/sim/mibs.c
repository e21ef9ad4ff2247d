/* tests/sim/mibs.c: SNMPv2, IF, BRIDGE, Q-BRIDGE, LLDP, LLDP-MED, CISCO-CDP, CISCO-VTP, IEEE8023-LAG and IP-MIB of one switch, computed
 * from the network.
 *
 * On purpose: an ifIndex is not a bridge port, an FDB id not a VLAN. */
#include "mibs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ber.h"

#define MIB2 "1.3.6.1.2.1."
#define LLDP "1.0.8802.1.1.2.1."
#define CISCO "1.3.6.1.4.1.9.9."

enum { LINKS_MAX = 1000 };		/* neighbours that are switches */

static void
mac_octets(uint64_t mac, uint8_t out[static 6])
{
	for (int i = 0; i < 6; i++)
		out[i] = (uint8_t)(mac >> 8 * (5 - i));
}

static void
system_objects(struct objects *o, int s)
{
	static const uint8_t plain[] = { 0x2b, 6, 1, 4, 1, 0x81, 0xfd, 0x59, 1, 1 };	/* 1.3.6.1.4.1.32473.1.1 */
	uint8_t mac[6];

	object_text(o, PREFIX(MIB2 "1.1.0"), NULL, 0, "Emulated campus switch");
	object_put(o, PREFIX(MIB2 "1.2.0"), NULL, 0, BER_OID, plain, sizeof plain);
	object_uptime(o);
	object_text(o, PREFIX(MIB2 "1.5.0"), NULL, 0, network.sw[s].name);
	mac_octets(network.sw[s].mac, mac);
	object_put(o, PREFIX(MIB2 "17.1.1.0"), NULL, 0, BER_OCTETS, mac, 6);
	object_number(o, PREFIX(MIB2 "17.1.2.0"), NULL, 0, BER_INTEGER, network.sw[s].ports);
	object_number(o, PREFIX(MIB2 "17.4.2.0"), NULL, 0, BER_INTEGER, network.opt.ageing);
}

static void
interface_objects(struct objects *o, int s, int port)
{
	uint32_t i = (uint32_t)if_index(s, port);
	char name[PORT_NAME];
	uint8_t mac[6];

	port_name(s, port, name);
	mac_octets(network.sw[s].mac + (uint64_t)port % 256, mac);
	object_number(o, PREFIX(MIB2 "2.2.1.1"), &i, 1, BER_INTEGER, i);
	object_text(o, PREFIX(MIB2 "2.2.1.2"), &i, 1, name);
	object_number(o, PREFIX(MIB2 "2.2.1.3"), &i, 1, BER_INTEGER, port > AGGREGATE ? 161 : 6);
	object_put(o, PREFIX(MIB2 "2.2.1.6"), &i, 1, BER_OCTETS, mac, 6);
	object_number(o, PREFIX(MIB2 "2.2.1.7"), &i, 1, BER_INTEGER, 1);
	object_number(o, PREFIX(MIB2 "2.2.1.8"), &i, 1, BER_INTEGER, port_is_up(s, port > AGGREGATE ? port - AGGREGATE : port) ? 1 : 2);
	object_text(o, PREFIX(MIB2 "31.1.1.1.1"), &i, 1, name);
	object_text(o, PREFIX(MIB2 "31.1.1.1.18"), &i, 1, port > network.sw[s].ports ? "uplink" : "");
}

static void
base_port_object(struct objects *o, int s, int port)
{
	uint32_t b = (uint32_t)port;

	object_number(o, PREFIX(MIB2 "17.1.4.1.2"), &b, 1, BER_INTEGER, if_index(s, port));
}

static void
lldp_port_objects(struct objects *o, int s, int port)
{
	uint32_t b = (uint32_t)port;
	char name[PORT_NAME];

	port_name(s, port, name);
	object_number(o, PREFIX(LLDP "3.7.1.2"), &b, 1, BER_INTEGER, 5);
	object_text(o, PREFIX(LLDP "3.7.1.3"), &b, 1, name);
	object_text(o, PREFIX(LLDP "3.7.1.4"), &b, 1, name);
}

/* IEEE8023-LAG-MIB, dot3adAggPortAttachedAggID. */
static void
member_object(struct objects *o, int s, int member, int port)
{
	uint32_t i = (uint32_t)if_index(s, member);

	object_number(o, PREFIX("1.2.840.10006.300.43.1.2.1.1.13"), &i, 1, BER_INTEGER, if_index(s, AGGREGATE + port));
}

/* A link in an aggregate: its two ports are no bridge ports, the aggregate is. */
static bool
aggregated(int s, int port)
{
	int half = network.sw[s].ports / 2;

	return bridge_port(s, port) > AGGREGATE || (port > network.sw[s].ports && network.sw[s].lag) ||
	    (port <= network.sw[s].ports && port > half && bridge_port(s, port - half) > AGGREGATE);
}

static int
last_port(int s)
{
	const struct sw *w = &network.sw[s];

	return w->ports + (w->parent == NONE ? 0 : w->lag ? 2 : 1);
}

static void
port_objects(struct objects *o, int s)
{
	for (int p = 1; p <= last_port(s); p++) {
		interface_objects(o, s, p);
		lldp_port_objects(o, s, p);
		if (!aggregated(s, p))
			base_port_object(o, s, p);
		if (bridge_port(s, p) <= AGGREGATE)
			continue;
		interface_objects(o, s, AGGREGATE + p);
		base_port_object(o, s, AGGREGATE + p);
		member_object(o, s, member_port(s, p, false), p);
		member_object(o, s, member_port(s, p, true), p);
	}
}

/* ---- MAC tables */

/* Where the entries go: Q-BRIDGE, or per VLAN into BRIDGE of a context. */
struct fdb { struct objects *o; int vlan; };

static void
fdb_object(const struct fdb *f, uint64_t mac, int vlan, int port, int status)
{
	uint32_t index[7] = { FDB_BASE + (uint32_t)vlan };

	for (int i = 0; i < 6; i++)
		index[1 + i] = (uint32_t)(mac >> 8 * (5 - i) & 0xff);
	if (f->vlan == 0) {
		object_number(f->o, PREFIX(MIB2 "17.7.1.2.2.1.2"), index, 7, BER_INTEGER, port);
		object_number(f->o, PREFIX(MIB2 "17.7.1.2.2.1.3"), index, 7, BER_INTEGER, status);
	} else if (f->vlan == vlan) {
		uint8_t octets[6];

		mac_octets(mac, octets);
		object_put(f->o, PREFIX(MIB2 "17.4.3.1.1"), index + 1, 6, BER_OCTETS, octets, 6);
		object_number(f->o, PREFIX(MIB2 "17.4.3.1.2"), index + 1, 6, BER_INTEGER, port);
		object_number(f->o, PREFIX(MIB2 "17.4.3.1.3"), index + 1, 6, BER_INTEGER, status);
	}
}

/* The stations plugged in at switch `at`, as `s` has learned them. */
static void
fdb_of(const struct fdb *f, int s, int at)
{
	int way = at == s ? 0 : port_towards(s, at);

	for (int i = network.sw[at].stations; i != NONE; i = network.station[i].next) {
		const struct station *t = &network.station[i];

		if (t->silent_until <= network.now)
			fdb_object(f, t->mac, t->vlan, at == s ? t->port : way, 3);
	}
}

/* Below a switch: frames of those go through it on their way up. */
static void
fdb_below(const struct fdb *f, int s, int at)
{
	fdb_of(f, s, at);
	if (at != s)
		fdb_object(f, network.sw[at].mac, VLAN_SWITCHES, port_towards(s, at), 3);
	for (int c = network.sw[at].child; c != NONE; c = network.sw[c].sibling)
		fdb_below(f, s, c);
}

static void
fdb_all(const struct fdb *f, int s)
{
	for (int i = network.sw[s].core; i < network.n_sw && network.sw[i].core == network.sw[s].core; i++) {
		fdb_of(f, s, i);
		if (i != s)
			fdb_object(f, network.sw[i].mac, VLAN_SWITCHES, port_towards(s, i), 3);
	}
}

static void
fdb_objects(const struct fdb *f, int s)
{
	fdb_object(f, network.sw[s].mac, VLAN_SWITCHES, network.sw[s].parent == NONE ? 1 : bridge_port(s, uplink_port(s)), 4);
	if (network.opt.flood) {
		fdb_all(f, s);
		return;
	}
	fdb_below(f, s, s);
	for (int i = network.sw[s].parent; i != NONE; i = network.sw[i].parent)	/* those that answer it */
		fdb_object(f, network.sw[i].mac, VLAN_SWITCHES, bridge_port(s, uplink_port(s)), 3);
}

static void
vlan_objects(struct objects *o)
{
	for (int i = 0; i < N_VLANS; i++) {
		uint32_t index[2] = { 0, (uint32_t)network_vlans[i] };

		object_number(o, PREFIX(MIB2 "17.7.1.4.2.1.3"), index, 2, BER_GAUGE, FDB_BASE + network_vlans[i]);
	}
}

/* CISCO-VTP-MIB and CISCO-VLAN-MEMBERSHIP-MIB: the VLANs there are, each with tables in a context of its own. */
static void
vtp_objects(struct objects *o, int s)
{
	for (int i = 0; i < N_VLANS; i++) {
		uint32_t index[2] = { 1, (uint32_t)network_vlans[i] };

		object_number(o, PREFIX(CISCO "46.1.3.1.1.2"), index, 2, BER_INTEGER, 1);
		object_number(o, PREFIX(CISCO "46.1.3.1.1.3"), index, 2, BER_INTEGER, 1);
	}
	for (int i = network.sw[s].stations; i != NONE; i = network.station[i].next) {
		uint32_t index = (uint32_t)if_index(s, network.station[i].port);

		object_number(o, PREFIX(CISCO "68.1.2.2.1.2"), &index, 1, BER_INTEGER, network.station[i].vlan);
	}
}

/* ---- neighbours */

struct neighbour { const uint8_t *mac; const char *port, *name, *descr; uint16_t caps; uint32_t ip; };

static void
lldp_objects(struct objects *o, int local_port, uint32_t rem, const struct neighbour *n)
{
	uint32_t index[3] = { 0, (uint32_t)local_port, rem };
	uint32_t address[9] = { 0, (uint32_t)local_port, rem, 1, 4, n->ip >> 24, n->ip >> 16 & 255, n->ip >> 8 & 255, n->ip & 255 };
	uint8_t bits[2] = { (uint8_t)(n->caps >> 8), (uint8_t)n->caps };

	object_number(o, PREFIX(LLDP "4.1.1.4"), index, 3, BER_INTEGER, 4);
	object_put(o, PREFIX(LLDP "4.1.1.5"), index, 3, BER_OCTETS, n->mac, 6);
	object_number(o, PREFIX(LLDP "4.1.1.6"), index, 3, BER_INTEGER, n->port != NULL ? 5 : 3);
	if (n->port != NULL)
		object_text(o, PREFIX(LLDP "4.1.1.7"), index, 3, n->port);
	else
		object_put(o, PREFIX(LLDP "4.1.1.7"), index, 3, BER_OCTETS, n->mac, 6);
	object_text(o, PREFIX(LLDP "4.1.1.8"), index, 3, n->port != NULL ? n->port : "eth0");
	object_text(o, PREFIX(LLDP "4.1.1.9"), index, 3, n->name);
	object_text(o, PREFIX(LLDP "4.1.1.10"), index, 3, n->descr);
	object_put(o, PREFIX(LLDP "4.1.1.11"), index, 3, BER_OCTETS, bits, 2);
	object_put(o, PREFIX(LLDP "4.1.1.12"), index, 3, BER_OCTETS, bits, 2);
	if (n->ip != 0)
		object_number(o, PREFIX(LLDP "4.2.1.3"), address, 9, BER_INTEGER, 2);
}

static void
cdp_objects(struct objects *o, int s, int local_port, const struct neighbour *n)
{
	uint32_t index[2] = { (uint32_t)if_index(s, local_port), 1 };
	uint8_t address[4] = { (uint8_t)(n->ip >> 24), (uint8_t)(n->ip >> 16), (uint8_t)(n->ip >> 8), (uint8_t)n->ip };
	uint8_t caps[4] = { 0, 0, 0, 0x28 };

	object_number(o, PREFIX(CISCO "23.1.2.1.1.3"), index, 2, BER_INTEGER, 1);
	object_put(o, PREFIX(CISCO "23.1.2.1.1.4"), index, 2, BER_OCTETS, address, 4);
	object_text(o, PREFIX(CISCO "23.1.2.1.1.5"), index, 2, n->descr);
	object_text(o, PREFIX(CISCO "23.1.2.1.1.6"), index, 2, n->name);
	object_text(o, PREFIX(CISCO "23.1.2.1.1.7"), index, 2, n->port);
	object_text(o, PREFIX(CISCO "23.1.2.1.1.8"), index, 2, "emulated");
	object_put(o, PREFIX(CISCO "23.1.2.1.1.9"), index, 2, BER_OCTETS, caps, 4);
}

/* What `s` hears from switch `other` over one cable of the link between them; `link` is whose uplink that is. */
static void
link_objects(struct objects *o, int s, int other, const struct sw *link, bool second, uint32_t rem)
{
	int here = member_port(s, link == &network.sw[s] ? uplink_port(s) : link->parent_port, second);
	int there = member_port(other, link == &network.sw[other] ? uplink_port(other) : link->parent_port, second);
	char name[PORT_NAME];
	uint8_t mac[6];
	struct neighbour n = { mac, port_name(other, there, name), network.sw[other].name, "Emulated campus switch", 0x2000,
		network.sw[other].ip };

	mac_octets(network.sw[other].mac, mac);
	if (link->speech == SPEAKS_CDP)
		cdp_objects(o, s, here, &n);
	else
		lldp_objects(o, here, rem, &n);
}

static void
station_objects(struct objects *o, const struct station *t, uint32_t rem)
{
	uint32_t index[3] = { 0, (uint32_t)t->port, rem };
	uint8_t mac[6];

	mac_octets(t->claims != NONE ? network.sw[t->claims].mac : t->mac, mac);
	if (t->claims != NONE) {
		lldp_objects(o, t->port, rem, &(struct neighbour){ mac, "Te1/1/1", network.sw[t->claims].name, "Emulated campus switch",
		    0x2000, network.sw[t->claims].ip });
		return;
	}
	lldp_objects(o, t->port, rem, &(struct neighbour){ mac, NULL, t->model, t->model, 0x0100, t->ip });
	object_text(o, PREFIX(LLDP "5.4795.1.3.3.1.5"), index, 3, t->maker);
	object_text(o, PREFIX(LLDP "5.4795.1.3.3.1.6"), index, 3, t->model);
}

/* The number of a station is not given again (lldpRemIndex in IEEE 802.1AB's MIB asks for that): who reads the tables of LLDP and of LLDP-MED one after the other
 * would else take the words of one neighbour for those of the one that had its number before. */
static void
neighbours_objects(struct objects *o, int s)
{
	const struct sw *w = &network.sw[s];
	uint32_t rem = 1;

	for (int second = 0; w->parent != NONE && second <= w->lag; second++)
		link_objects(o, s, w->parent, w, second, rem++);
	for (int c = w->child; c != NONE; c = network.sw[c].sibling)
		for (int second = 0; second <= network.sw[c].lag; second++)
			link_objects(o, s, c, &network.sw[c], second, rem++);
	for (int i = w->stations; i != NONE; i = network.station[i].next) {
		const struct station *t = &network.station[i];

		if ((t->maker != NULL || t->claims != NONE) && t->silent_until <= network.now)
			station_objects(o, t, LINKS_MAX + t->heard);
	}
}

/* The core switch routes: addresses of its whole tree. */
static void
arp_objects(struct objects *o, int s)
{
	for (int at = s; at < network.n_sw && network.sw[at].core == s; at++)
		for (int i = network.sw[at].stations; i != NONE; i = network.station[i].next) {
			const struct station *t = &network.station[i];
			uint32_t index[5] = { (uint32_t)if_index(s, 1), t->ip >> 24, t->ip >> 16 & 255, t->ip >> 8 & 255, t->ip & 255 };
			uint8_t mac[6];

			if (t->ip == 0)
				continue;
			mac_octets(t->mac, mac);
			object_put(o, PREFIX(MIB2 "4.22.1.2"), index, 5, BER_OCTETS, mac, 6);
		}
}

static void
objects_make(int s)
{
	struct sw *w = &network.sw[s];
	struct objects *o = &w->objects;

	objects_clear(o);
	system_objects(o, s);
	port_objects(o, s);
	if (w->contexts)
		vtp_objects(o, s);
	else {
		vlan_objects(o);
		fdb_objects(&(struct fdb){ o, 0 }, s);
	}
	neighbours_objects(o, s);
	if (w->core == s)
		arp_objects(o, s);
	objects_sort(o);
	for (int v = 0; w->contexts && v < N_VLANS; v++) {
		struct objects *c = &w->per_vlan[v];

		objects_clear(c);
		for (int p = 1; p <= last_port(s); p++)
			if (!aggregated(s, p))
				base_port_object(c, s, p);
		if (w->lag)
			base_port_object(c, s, AGGREGATE + uplink_port(s));
		fdb_objects(&(struct fdb){ c, network_vlans[v] }, s);
		objects_sort(c);
	}
	w->stale = false;
}

struct objects *
mibs_objects(int s, const char *context, size_t n)
{
	struct sw *w = &network.sw[s];
	struct objects *o = n == 0 ? &w->objects : NULL;

	if (w->stale && !w->recorded)
		objects_make(s);
	if (n > 5 && memcmp(context, "vlan-", 5) == 0) {
		context += 5;
		n -= 5;
	}
	for (int v = 0; w->contexts && n > 0 && v < N_VLANS; v++) {
		char number[12];

		snprintf(number, sizeof number, "%d", network_vlans[v]);
		if (strlen(number) == n && memcmp(number, context, n) == 0)
			o = &w->per_vlan[v];
	}
	if (o != NULL)
		objects_uptime(o, (uint32_t)((network.now - w->booted) / 10));
	return o;
}
