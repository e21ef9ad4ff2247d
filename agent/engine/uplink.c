/* agent/engine/uplink.c: which ports lead to another polled switch. One side's word is not enough where the other end is
 * polled too (threat-model.md D10): a device chooses its own LLDP strings and MAC. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "engine/net.h"

/* Polled switches by what a neighbour can call them: the addresses and the system names of each pass; `hosts` by the names without
 * their domains. */
struct callers { struct map addresses, names, hosts; };

static void
caller_add(struct map *m, uint64_t hash, struct sw *sw)
{
	const struct sw *now = map_get(m, hash);

	if (now != sw)
		map_put(m, hash, now == NULL ? sw : &net_several);	/* out of memory: one proof of an uplink fewer */
}

static uint64_t
address_hash(const struct ip *ip)
{
	return hash_bytes(ip->b, sizeof ip->b) ^ ip->family;
}

/* Octets of a name before its domain. An address has none. */
static size_t
host_part(const char *name)
{
	struct ip ip;

	return ip_parse(name, &ip) == 0 ? strlen(name) : strcspn(name, ".");
}

static void
caller_add_name(struct callers *c, const char *name, struct sw *sw)
{
	if (name[0] == '\0')
		return;
	caller_add(&c->names, hash_bytes(name, strlen(name)), sw);
	caller_add(&c->hosts, hash_bytes(name, host_part(name)), sw);
}

static void
callers_make(const struct net *n, struct callers *c)
{
	for (size_t i = 0; i < n->n_switches; i++) {
		struct sw *sw = n->switches[i];

		caller_add(&c->addresses, address_hash(&sw->conf->address.ip), sw);
		caller_add_name(c, sw->name, sw);
		caller_add_name(c, sw->sys_name, sw);
	}
}

static struct sw *
called(const struct map *m, uint64_t hash)
{
	struct sw *sw = map_get(m, hash);

	return sw != &net_several ? sw : NULL;
}

static struct sw *
called_name(const struct callers *c, const char *name)
{
	struct sw *sw = name[0] != '\0' ? called(&c->names, hash_bytes(name, strlen(name))) : NULL;

	return sw != NULL && (str_eq(name, sw->name) || str_eq(name, sw->sys_name)) ? sw : NULL;
}

/* The same host, and only one of the two says its domain. */
static bool
same_host(const char *a, const char *b)
{
	size_t n = host_part(a);

	return n > 0 && n == host_part(b) && memcmp(a, b, n) == 0 && (a[n] == '\0' || b[n] == '\0');
}

/* A device id of CDP is a host name, with the domain where one is configured, which sysName may leave out, and the other way round;
 * some put a serial number or a MAC in parentheses behind it. */
static struct sw *
called_device(const struct callers *c, const struct octets *id)
{
	char name[64];
	struct sw *sw;
	size_t n;

	octets_text(id, name, sizeof name);
	if ((sw = called_name(c, name)) != NULL)
		return sw;
	n = strcspn(name, "(");
	if (n > 0 && name[n] == '(' && name[strlen(name) - 1] == ')') {
		name[n] = '\0';
		if ((sw = called_name(c, name)) != NULL)
			return sw;
	}
	sw = name[0] != '\0' ? called(&c->hosts, hash_bytes(name, host_part(name))) : NULL;
	return sw != NULL && (same_host(name, sw->name) || same_host(name, sw->sys_name)) ? sw : NULL;
}

/* The polled switch that a neighbour says it is: by an address of its own, or by the address or the name we poll it by. What
 * several switches share (a factory's default name, a cloned address) says nothing. */
static struct sw *
neighbour_switch(const struct net *n, const struct callers *c, const struct row_neighbour *nb)
{
	struct mac own[2];
	struct sw *sw;
	char name[64];

	for (size_t i = 0, n_own = neighbour_macs(nb, own); i < n_own; i++)
		if ((sw = net_owner(n, own[i])) != NULL)
			return sw;
	for (size_t a = 0; a < nb->n_mgmt; a++)
		if (!ip_is_special(&nb->mgmt[a]) && (sw = called(&c->addresses, address_hash(&nb->mgmt[a]))) != NULL &&
		    ip_eq(&nb->mgmt[a], &sw->conf->address.ip))
			return sw;
	if (nb->table == TABLE_CDP)
		return called_device(c, &nb->chassis);
	return called_name(c, octets_text(&nb->sys_name, name, sizeof name));
}

void
neighbours_resolve(struct net *n)
{
	struct callers c = { 0 };

	callers_make(n, &c);
	map_free(&n->heard);
	for (size_t i = 0; i < n->n_switches; i++) {
		struct sw *sw = n->switches[i];

		for (size_t k = 0; k < sw->n_neighbours; k++) {
			const struct row_neighbour *nb = &sw->neighbours[k].neighbour;

			struct mac own[2];

			sw->neighbour_is[k] = neighbour_switch(n, &c, nb);
			for (size_t m = 0, n_own = neighbour_macs(nb, own); m < n_own; m++)
				caller_add(&n->heard, mac_u64(own[m]), sw);
		}
	}
	map_free(&c.addresses);
	map_free(&c.names);
	map_free(&c.hosts);
}

/* On `port`, or with NULL on any. */
static bool
sees_a_mac_of(const struct net *n, const struct sw *who, const struct port *port, const struct sw *other)
{
	for (size_t i = 0; i < other->n_own; i++) {
		const struct station *st = net_owner(n, other->own[i]) == other ? net_station(n, other->own[i]) : NULL;

		for (uint32_t k = 0; st != NULL && k < station_n(st); k++) {
			const struct sighting s = sighting_at(n, st, k);

			if (s.sw == who && sighting_is_live(&s) && s.if_index != 0 && (port == NULL || s.if_index == port->if_index))
				return true;
		}
	}
	return false;
}

/* Later claims never weaken an earlier, better one. */
static void
port_mark(struct port *p, bool uplink, enum reason why, struct sw *towards)
{
	if (p->configured_access || p->uplink || (p->why != 0 && !uplink))
		return;
	p->uplink = uplink;
	p->why = why;
	p->towards = towards;
}

/* An uplink that more than one side vouches for: others are concluded from it. */
static bool
is_sure(const struct port *p)
{
	return p->uplink && p->towards != NULL && p->why != REASON_UPLINK_ONE_SIDED;
}

/* They were both read again, and still do not agree. */
static bool
is_proven(const struct sw *sw, const struct port *p, const struct sw *other)
{
	return p->doubt != NULL && p->doubt->of == other && other->polls > p->doubt->polls && sw->polls > p->doubt->own_polls;
}

/* `other` does not agree that port `p` of `sw` leads to it. Their tables may be of before and after somebody moved a cable: both
 * are read once more before anybody is accused, and until then the port is taken for what it claims, so that nobody behind it
 * is given a wrong place. */
static void
port_doubt(struct sw *sw, struct port *p, enum reason why, struct sw *other)
{
	assert(sw != other);
	p->doubted = true;
	if (p->doubt == NULL)
		p->doubt = calloc(1, sizeof *p->doubt);		/* without memory it stays what it claims to be */
	if (p->doubt != NULL && p->doubt->of != other)
		*p->doubt = (struct doubt){ other, other->polls, sw->polls };
	if (is_proven(sw, p, other)) {
		port_mark(p, false, why, other);
		return;
	}
	sw->doubted = other->doubted = true;
	port_mark(p, true, REASON_UPLINK_ONE_SIDED, other);
}

/* ---- what the other end says */

#define CLAIMS_MAX 32
#define CLAIMANT_EFFORT 50000000	/* rows and sightings looked at: half a second or so */
static size_t effort;			/* of the pass: what to wait for before the next one */

enum says { SAYS_NO = -1, SAYS_NOTHING, SAYS_YES };

static bool
is_number(const char *text, uint32_t *out)
{
	uint64_t v;

	if (num_parse(text, 1, INT32_MAX, &v) < 0)
		return false;
	*out = (uint32_t)v;
	return true;
}

/* A member is its aggregate; where the interface table does not have that, nothing is known of it. */
static struct port *
port_folded(const struct sw *sw, uint32_t if_index)
{
	return sw_port(sw, sw_folded(sw, if_index));
}

/* The one port for which `same` holds, or for all members of it; NULL: none, or more than one. */
static struct port *
only_port(const struct sw *sw, bool (*same)(const struct port *p, const void *what), const void *what)
{
	struct port *hit = NULL;

	for (size_t i = 0; i < sw->n_ports; i++) {
		struct port *p = same(&sw->ports[i], what) ? port_folded(sw, sw->ports[i].if_index) : NULL;

		if (p != NULL && hit != NULL && hit != p)
			return NULL;
		hit = p != NULL ? p : hit;
	}
	return hit;
}

static bool
same_name(const struct port *p, const void *text)
{
	return strcmp(p->name, text) == 0 || (p->descr_hash != 0 && p->descr_hash == hash_bytes(text, strlen(text)));
}

static bool
same_alias(const struct port *p, const void *text)
{
	return strcmp(port_alias(p), text) == 0;
}

static bool
same_phys(const struct port *p, const void *mac)
{
	return mac_eq(p->phys, *(const struct mac *)mac);
}

/* A number as a port id is an ifIndex or an LLDP local port number, by the habit of the switch: only where both readings agree. */
static struct port *
port_numbered(const struct sw *sw, uint32_t number)
{
	struct port *by_index = port_folded(sw, number), *by_local = NULL;

	for (size_t i = 0; i < sw->n_neighbours && by_local == NULL; i++)
		if (sw->neighbours[i].neighbour.port_num == number)
			by_local = sw_port(sw, sw->neighbours[i].neighbour.if_index);
	return by_index == NULL ? by_local : by_local == NULL || by_local == by_index ? by_index : NULL;
}

struct port *
port_named(const struct sw *sw, const struct row_neighbour *nb)
{
	char text[64];
	struct mac mac;
	struct port *p = NULL;
	uint32_t number;

	octets_text(&nb->port, text, sizeof text);
	if (text[0] != '\0')
		p = only_port(sw, same_name, text);
	if (p == NULL && nb->port_subtype == 1 && text[0] != '\0')
		p = only_port(sw, same_alias, text);
	if (p == NULL && nb->port_subtype == 3 && octets_mac(&nb->port, &mac) && !mac_is_zero(mac))
		p = only_port(sw, same_phys, &mac);
	if (p == NULL && is_number(text, &number))
		p = port_numbered(sw, number);
	octets_text(&nb->port_desc, text, sizeof text);
	if (p == NULL && text[0] != '\0')
		p = only_port(sw, same_name, text);
	return p;
}

/* The ports of a switch where somebody says that it is another one: two rows of one port (by LLDP and by CDP, or on two members of
 * an aggregate) are one cable. */
struct claimed { uint64_t port[CLAIMS_MAX]; bool named[CLAIMS_MAX]; size_t n; };

/* An interface, or an LLDP port number of which nobody knows the interface; of rows with neither, each is one of its own. */
static uint64_t
claimed_port(const struct row_neighbour *nb, size_t row)
{
	if (nb->if_index != 0)
		return nb->if_index;
	return nb->port_num != 0 ? UINT64_C(1) << 32 | nb->port_num : UINT64_C(2) << 32 | row;
}

/* The number of the port in the list, where it is put if need be; CLAIMS_MAX: the list is full. */
static size_t
claimed_at(struct claimed *c, uint64_t port)
{
	size_t i = 0;

	while (i < c->n && c->port[i] != port)
		i++;
	if (i == c->n && i < CLAIMS_MAX) {
		c->port[i] = port;
		c->named[i] = false;
		c->n++;
	}
	return i;
}

/* What the neighbours of `other` say of port `p` of `sw`. *open: ports with neighbours that are `sw` and name no port of it, by LLDP
 * or by CDP; 0 where there are more than two switches have cables. */
static enum says
neighbours_say(const struct sw *other, const struct sw *sw, const struct port *p, size_t *open)
{
	struct claimed c = { .n = 0 };
	enum says says = SAYS_NOTHING;
	bool full = false;

	*open = 0;
	effort += other->n_neighbours;
	for (size_t i = 0; i < other->n_neighbours; i++) {
		const struct row_neighbour *nb = &other->neighbours[i].neighbour;
		const struct port *named;
		size_t at;

		if (other->neighbour_is[i] != sw)
			continue;
		if ((named = port_named(sw, nb)) == p)
			return SAYS_YES;
		if (named != NULL)
			says = SAYS_NO;
		if ((at = claimed_at(&c, claimed_port(nb, i))) < CLAIMS_MAX)
			c.named[at] |= named != NULL;
		else
			full = true;
	}
	for (size_t i = 0; i < c.n && !full; i++)
		*open += !c.named[i];
	return *open > 0 ? SAYS_NOTHING : says;
}

/* Does `other` see what is `sw`'s side on this port of its own? By a neighbour only if no second port has one that says so. */
static bool
looks_at(const struct net *n, const struct sw *other, uint32_t if_index, const struct sw *sw)
{
	size_t here = 0, elsewhere = 0;

	for (size_t i = 0; i < other->n_neighbours; i++) {
		here += other->neighbour_is[i] == sw && other->neighbours[i].neighbour.if_index == if_index;
		elsewhere += other->neighbour_is[i] == sw && other->neighbours[i].neighbour.if_index != if_index;
	}
	if (here > 0 && elsewhere == 0)
		return true;
	for (size_t i = 0; i < sw->n_own; i++) {
		const struct station *st = net_owner(n, sw->own[i]) == sw ? net_station(n, sw->own[i]) : NULL;

		for (uint32_t k = 0; st != NULL && k < station_n(st); k++) {
			const struct sighting s = sighting_at(n, st, k);

			if (s.sw == other && s.if_index == if_index && sighting_is_live(&s))
				return true;
		}
	}
	return false;
}

#define PORTS_MAX 64
struct ports {
	uint32_t v[PORTS_MAX], rows[PORTS_MAX];		/* how many rows speak for each */
	size_t	 n;
};

/* On which ports `other` sees what `sw` has learned: the stations of port `if_index`, and those of all its other ports. */
struct cut {
	const struct sw	*sw, *other;
	uint32_t	 if_index;
	struct ports	 of_p, of_rest;
};

static size_t
ports_at(const struct ports *s, uint32_t if_index)
{
	size_t i = 0;

	while (i < s->n && s->v[i] != if_index)
		i++;
	return i;
}

static bool
ports_have(const struct ports *s, uint32_t if_index)
{
	size_t i = ports_at(s, if_index);

	return i < s->n && s->rows[i] > 0;
}

static size_t
ports_count(const struct ports *s)
{
	size_t count = 0;

	for (size_t i = 0; i < s->n; i++)
		count += s->rows[i] > 0;
	return count;
}

static void
ports_add(struct ports *s, uint32_t if_index)
{
	size_t i = ports_at(s, if_index);

	if (if_index == 0 || i == PORTS_MAX)
		return;
	if (i == s->n) {
		s->v[s->n] = if_index;
		s->rows[s->n++] = 0;
	}
	s->rows[i]++;
}

/* Frames of these went their way because somebody sent them: no switch of ours, and no address that several routers share. */
static bool
is_ordinary(const struct net *n, struct mac mac)
{
	return map_get(&n->owners, mac_u64(mac)) == NULL && !mac_is_virtual_router(mac);
}

static void
cut_make(const struct net *n, const struct sw *sw, uint32_t if_index, const struct sw *other, struct cut *c)
{
	*c = (struct cut){ .sw = sw, .other = other, .if_index = if_index };
	effort += sw->table.fdb.n;
	for (size_t at = 0; at < sw->table.fdb.n; at++) {
		const struct row_fdb f = fdb_row(&sw->table.fdb, at);
		const struct station *st;
		struct ports *to;

		if (f.if_index == 0 || !is_ordinary(n, f.mac) || (st = net_station(n, f.mac)) == NULL)
			continue;
		effort += station_n(st);
		to = sw_folded(sw, f.if_index) == if_index ? &c->of_p : &c->of_rest;
		for (uint32_t k = 0; k < station_n(st); k++) {
			const struct sighting s = sighting_at(n, st, k);

			if (s.sw == other && sighting_is_live(&s))
				ports_add(to, s.if_index);
		}
	}
}

/* Each is asked for by every station of two ports, and costs a walk through a table: those of this state of the tables are kept. */
struct cuts {
	uint64_t	 version;
	struct cut	 v[64];
};

struct cuts *
cuts_new(void)
{
	return calloc(1, sizeof(struct cuts));
}

static const struct cut *
cut_of(const struct net *n, const struct sw *sw, uint32_t if_index, const struct sw *other, struct cut *spare)
{
	struct cut *c = spare;

	if (n->cuts != NULL && n->cuts->version != n->version)
		*n->cuts = (struct cuts){ .version = n->version };
	if (n->cuts != NULL)
		c = &n->cuts->v[(sw->index * 31 + other->index * 7 + if_index) % nitems(n->cuts->v)];
	if (c == spare || c->sw != sw || c->other != other || c->if_index != if_index)
		cut_make(n, sw, if_index, other, c);
	return c;
}

/* Takes out what one station's rows said. */
static void
cut_without(const struct net *n, struct cut *c, struct mac mac)
{
	const struct station *st = is_ordinary(n, mac) ? net_station(n, mac) : NULL;

	for (uint32_t i = 0; st != NULL && i < station_n(st); i++) {
		const struct sighting here = sighting_at(n, st, i);
		struct ports *from = here.if_index == c->if_index ? &c->of_p : &c->of_rest;

		for (uint32_t k = 0; here.sw == c->sw && here.if_index != 0 && k < station_n(st); k++) {
			const struct sighting there = sighting_at(n, st, k);
			size_t at = ports_at(from, there.if_index);

			if (there.sw == c->other && sighting_is_live(&there) && at < from->n)
				from->rows[at] -= from->rows[at] < here.rows ? from->rows[at] : here.rows;
		}
	}
}

struct way
port_way(const struct net *n, const struct sw *sw, const struct port *p, const struct sw *other, struct mac but)
{
	struct cut c, spare;
	struct way w = { 0 };

	c = *cut_of(n, sw, p->if_index, other, &spare);
	cut_without(n, &c, but);
	for (size_t i = 0; i < c.of_p.n; i++) {
		if (c.of_p.rows[i] == 0)
			continue;
		if (ports_have(&c.of_rest, c.of_p.v[i]) || looks_at(n, other, c.of_p.v[i], sw))
			w.here++;
		else
			w.there++;
	}
	w.rest = ports_count(&c.of_rest);
	return w;
}

/* The same for a conclusion about a port: from now on the tables of stations are part of the topology. One station elsewhere may
 * have moved and left a trace; two ports full are another switch. */
static enum says
stations_say(struct net *n, const struct sw *sw, const struct port *p, const struct sw *other)
{
	struct way w = port_way(n, sw, p, other, (struct mac){ { 0 } });

	n->stations_matter = true;
	if (w.there >= 2 && w.rest > 0)
		return SAYS_YES;
	return w.here > 0 && w.there == 0 ? SAYS_NO : SAYS_NOTHING;
}

/* Ports of `sw` where somebody claims to be `other`, which other's neighbours neither confirm nor deny, nor stations deny. */
static size_t
open_claims(struct net *n, struct sw *sw, const struct sw *other)
{
	struct claimed c = { .n = 0 };
	size_t count = 0, seen = 0, open;

	for (size_t i = 0; i < sw->n_neighbours; i++) {		/* no more than CLAIMS_MAX rows: are_too_many() */
		const struct port *p = sw->neighbour_is[i] == other ? sw_port(sw, sw->neighbours[i].neighbour.if_index) : NULL;

		if (p == NULL || claimed_at(&c, p->if_index) < seen)
			continue;
		seen = c.n;
		count += neighbours_say(other, sw, p, &open) == SAYS_NOTHING && stations_say(n, sw, p, other) != SAYS_NO;
	}
	return count;
}

/* `p` leads to `other`, which does not say so by LLDP: its one port that sees the rest of `sw` is the other end. */
static void
mark_other_end(const struct net *n, struct sw *sw, const struct port *p, struct sw *other)
{
	struct cut c;
	struct port *q;

	cut_make(n, sw, p->if_index, other, &c);
	if (c.of_rest.n == 1 && !ports_have(&c.of_p, c.of_rest.v[0]) && (q = sw_port(other, c.of_rest.v[0])) != NULL)
		port_mark(q, true, REASON_UPLINK_MACS_AGREE, sw);
}

/* More ports than two switches have cables between them. */
static bool
are_too_many(const struct sw *sw, const struct sw *other)
{
	size_t count = 0;

	effort += sw->n_neighbours;
	for (size_t i = 0; i < sw->n_neighbours; i++)
		count += sw->neighbour_is[i] == other;
	return count > CLAIMS_MAX;
}

/* What is claimed at one switch may cost no more than this of a pass, whatever its tables are (threat-model.md R3): the claims left then
 * are as little believed as too many are. */
static bool
is_spent(const struct sw *sw)
{
	static const struct sw *claimant;
	static size_t from;

	if (claimant != sw || effort < from) {		/* another one's turn, or another pass */
		claimant = sw;
		from = effort;
	}
	return effort - from > CLAIMANT_EFFORT;
}

/* Somebody on port `p` of `sw` says that it is `other`. */
static void
judge_claim(struct net *n, struct sw *sw, struct port *p, struct sw *other)
{
	size_t open;
	enum says by_name = neighbours_say(other, sw, p, &open), by_mac;

	if (by_name == SAYS_YES) {
		port_mark(p, true, REASON_UPLINK_NEIGHBOURS_AGREE, other);
		return;
	}
	if (is_spent(sw) || are_too_many(sw, other)) {		/* and each would cost a look at whole tables */
		port_doubt(sw, p, REASON_CONFLICT_NEIGHBOUR, other);
		return;
	}
	if ((by_mac = stations_say(n, sw, p, other)) == SAYS_YES) {
		port_mark(p, true, open > 0 ? REASON_UPLINK_NEIGHBOURS_AGREE : REASON_UPLINK_MACS_AGREE, other);
	} else if (!sw_is_reached(other)) {
		if (is_proven(sw, p, other))
			port_doubt(sw, p, REASON_CONFLICT_NEIGHBOUR, other);
		else
			port_mark(p, true, REASON_UPLINK_ONE_SIDED, other);
	} else if (by_mac != SAYS_NO && sees_a_mac_of(n, sw, p, other) && sees_a_mac_of(n, other, NULL, sw)) {
		port_mark(p, true, REASON_UPLINK_MACS_AGREE, other);
	} else if (by_mac == SAYS_NO || by_name == SAYS_NO) {
		port_doubt(sw, p, REASON_CONFLICT_NEIGHBOUR, other);
	} else if (open > 0) {
		port_mark(p, true, open_claims(n, sw, other) <= open ? REASON_UPLINK_NEIGHBOURS_AGREE : REASON_UPLINK_ONE_SIDED, other);
	} else if (sees_a_mac_of(n, other, NULL, sw)) {
		/* Its own address on another port may be the aggregate that this port is a member of, or the truth. */
		bool sole = open_claims(n, sw, other) <= 1 && !sees_a_mac_of(n, sw, NULL, other);

		port_mark(p, true, sole ? REASON_UPLINK_MACS_AGREE : REASON_UPLINK_ONE_SIDED, other);
	} else if (other->n_neighbours == 0) {
		port_mark(p, true, REASON_UPLINK_ONE_SIDED, other);	/* it does not listen: it cannot agree, nor deny */
	} else {
		port_doubt(sw, p, REASON_CONFLICT_NEIGHBOUR, other);
	}
	if (is_sure(p) && open == 0)
		mark_other_end(n, sw, p, other);
}

static bool
neighbour_is_phone(const struct row_neighbour *nb)
{
	return (nb->caps_known && (nb->caps & CAP_TELEPHONE) != 0) || (nb->table == TABLE_CDP && (nb->cdp_caps & CDP_CAP_PHONE) != 0);
}

static void
judge_neighbours(struct net *n, struct sw *sw)
{
	for (size_t i = 0; i < sw->n_neighbours; i++) {
		const struct row_neighbour *nb = &sw->neighbours[i].neighbour;
		struct port *p = sw_port(sw, nb->if_index);

		if (p == NULL)
			continue;
		p->phone |= neighbour_is_phone(nb);
		if (sw->neighbour_is[i] == NULL || sw->neighbour_is[i] == sw)
			continue;
		if (!p->uplink)
			judge_claim(n, sw, p, sw->neighbour_is[i]);
		else if (p->towards == NULL)
			p->towards = sw->neighbour_is[i];	/* an uplink by configuration: whom to ask */
	}
}

#define REACH_MAX 256			/* switches looked at: a way that is longer is not known */

bool
port_reaches(const struct sw *sw, const struct port *p, const struct sw *to)
{
	const struct sw *queue[REACH_MAX] = { p->towards };
	size_t count = p->towards != NULL;

	for (size_t i = 0; i < count; i++) {
		const struct sw *at = queue[i];

		if (at == to)
			return true;
		for (size_t k = 0; k < at->n_ports && count < REACH_MAX; k++) {
			const struct sw *next = is_sure(&at->ports[k]) ? at->ports[k].towards : NULL;
			bool known = next == NULL || next == sw;

			for (size_t j = 0; j < count && !known; j++)
				known = queue[j] == next;
			if (!known)
				queue[count++] = next;
		}
	}
	return false;
}

/* Is there a way from `sw` to `other` by uplinks that are known? */
static bool
has_way(const struct sw *sw, const struct sw *other)
{
	for (size_t i = 0; i < sw->n_ports; i++)
		if (is_sure(&sw->ports[i]) && port_reaches(sw, &sw->ports[i], other))
			return true;
	return false;
}

/* The MAC of `other` was learned on a port that no neighbour explains. Where another port is known to lead there, it has to come
 * through that one: here somebody borrowed it, unless the stations of this port say that it leads there all the same. */
static void
judge_mac(struct net *n, struct sw *sw, struct port *p, struct sw *other)
{
	if (stations_say(n, sw, p, other) == SAYS_YES)
		port_mark(p, true, REASON_UPLINK_MACS_AGREE, other);
	else if (has_way(sw, other))
		port_doubt(sw, p, REASON_CONFLICT_MAC, other);
	else if (!sw_is_reached(other) && !is_proven(sw, p, other))
		port_mark(p, true, REASON_UPLINK_ONE_SIDED, other);
	else if (sees_a_mac_of(n, other, NULL, sw))
		port_mark(p, true, REASON_UPLINK_MACS_AGREE, other);
	else
		port_doubt(sw, p, REASON_CONFLICT_MAC, other);
}

static void
judge_macs_of(struct net *n, struct sw *other)
{
	for (size_t i = 0; i < other->n_own; i++) {
		const struct station *st = net_owner(n, other->own[i]) == other ? net_station(n, other->own[i]) : NULL;

		for (uint32_t k = 0; st != NULL && k < station_n(st); k++) {
			const struct sighting s = sighting_at(n, st, k);
			struct port *p = s.sw != other && sighting_is_live(&s) ? sw_port(s.sw, s.if_index) : NULL;

			if (p != NULL && !p->uplink && p->why == 0)
				judge_mac(n, s.sw, p, other);
		}
	}
}

/* ---- parts: switches of which each has a known way to each other one (strongly connected; Tarjan, without recursion) */

struct visit { size_t order, low, next; bool open; };

static void
part_close(struct net *n, const struct visit *v, size_t *stack, size_t *n_stack, size_t root, struct visit *all)
{
	size_t i;

	do {
		i = stack[--*n_stack];
		all[i].open = false;
		n->switches[i]->part = root;
	} while (&all[i] != v);
}

static void
part_visit(struct net *n, struct visit *all, size_t *stack, size_t *path, size_t start)
{
	static size_t order;
	size_t n_stack = 0, n_path = 0;

	path[n_path++] = start;
	while (n_path > 0) {
		size_t i = path[n_path - 1];
		const struct sw *sw = n->switches[i];
		struct visit *v = &all[i];

		if (v->order == 0) {
			v->order = v->low = ++order;
			v->open = true;
			stack[n_stack++] = i;
		}
		while (v->next < sw->n_ports) {
			const struct port *p = &sw->ports[v->next++];
			struct visit *to = is_sure(p) ? &all[p->towards->index] : NULL;

			if (to != NULL && to->order == 0) {
				path[n_path++] = p->towards->index;
				break;
			}
			if (to != NULL && to->open && to->order < v->low)
				v->low = to->order;
		}
		if (path[n_path - 1] != i)
			continue;
		n_path--;
		if (n_path > 0 && v->low < all[path[n_path - 1]].low)
			all[path[n_path - 1]].low = v->low;
		if (v->low == v->order)
			part_close(n, v, stack, &n_stack, i, all);
	}
}

static void
parts_join(struct net *n)
{
	struct visit *all = calloc(n->n_switches + 1, sizeof *all);
	size_t *stack = calloc(2 * n->n_switches + 2, sizeof *stack);

	for (size_t i = 0; i < n->n_switches; i++)
		n->switches[i]->part = i;	/* without memory each is alone, and more stays unknown */
	for (size_t i = 0; all != NULL && stack != NULL && i < n->n_switches; i++)
		if (all[i].order == 0)
			part_visit(n, all, stack, stack + n->n_switches + 1, i);
	free(all);
	free(stack);
}

/* What is concluded of a port, to see whether the next pass says the same. */
struct verdict_of_port { bool uplink, phone, reached; enum reason why; struct sw *towards; };

static struct verdict_of_port
verdict_of(const struct port *p)
{
	return (struct verdict_of_port){ p->uplink, p->phone, p->towards != NULL && sw_is_reached(p->towards), p->why, p->towards };
}

static void
port_forget(struct port *p)
{
	p->uplink = p->configured_uplink && !p->configured_access;
	p->why = p->uplink ? REASON_UPLINK_CONFIGURED : 0;
	p->towards = NULL;
	p->phone = p->doubted = false;
}

/* `was` NULL: there was no memory to remember; all is looked at again, which is slower and not wrong. */
static void
mark_changed(struct net *n, const struct verdict_of_port *was)
{
	size_t at = 0;

	for (size_t i = 0; i < n->n_switches; i++) {
		for (size_t k = 0; k < n->switches[i]->n_ports; k++, at++) {
			struct port *p = &n->switches[i]->ports[k];
			const struct verdict_of_port is = verdict_of(p);

			if (!p->doubted) {
				free(p->doubt);
				p->doubt = NULL;
			}
			p->changed = p->changed || was == NULL || is.uplink != was[at].uplink || is.phone != was[at].phone ||
			    is.reached != was[at].reached || is.why != was[at].why || is.towards != was[at].towards;
			n->ports_changed |= p->changed;
		}
	}
}

void
uplinks_decide(struct net *n)
{
	struct verdict_of_port *was;
	size_t total = 0, at = 0;

	effort = 0;

	for (size_t i = 0; i < n->n_switches; i++)
		total += n->switches[i]->n_ports;
	was = calloc(total + 1, sizeof *was);
	n->topology_stale = false;
	for (size_t i = 0; i < n->n_switches; i++) {
		struct sw *sw = n->switches[i];

		sw->doubted = false;
		for (size_t k = 0; k < sw->n_ports; k++, at++) {
			if (was != NULL)
				was[at] = verdict_of(&sw->ports[k]);
			port_forget(&sw->ports[k]);
		}
	}
	n->stations_matter = false;
	neighbours_resolve(n);
	for (size_t i = 0; i < n->n_switches; i++)
		judge_neighbours(n, n->switches[i]);
	for (size_t i = 0; i < n->n_switches; i++)
		judge_macs_of(n, n->switches[i]);
	parts_join(n);
	mark_changed(n, was);
	free(was);
	n->effort = total + effort;
}
