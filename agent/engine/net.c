/* agent/engine/net.c: tables of switches in, an index from MAC to sightings kept in step. */
#include "engine/net.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/num.h"
#include "base/text.h"

enum { PORT_TEXT = 64, SLOTS_FIRST = 1024 };

static struct station *
slot_of(uint64_t seed, struct station *slots, size_t n_slots, uint64_t mac)
{
	size_t i = map_home(mac, seed, n_slots);

	while (slots[i].mac != 0 && slots[i].mac != mac)
		i = i + 1 < n_slots ? i + 1 : 0;
	return &slots[i];
}

struct station *
net_station(const struct net *n, struct mac mac)
{
	struct station *s;

	if (n->n_slots == 0)
		return NULL;
	s = slot_of(n->seed, n->slots, n->n_slots, mac_u64(mac));
	return s->mac != 0 ? s : NULL;
}

/* Room for one more. A station keeps its slot for life: one that is seen nowhere is dropped when the table grows. Where it cannot, what
 * there is is used: slower, but for an end of every search some slot has to stay free. */
static int
slots_grow(struct net *n)
{
	size_t live = n->n_stations, size = SLOTS_FIRST + live + live * 3 / 4;
	struct station *slots;

	if (n->n_slots > 0 && n->n_used * 4 < n->n_slots * 3)
		return 0;
	if ((slots = calloc(size, sizeof *slots)) == NULL)
		return n->n_used * 16 < n->n_slots * 15 ? 0 : -ENOMEM;
	for (size_t i = 0; i < n->n_slots; i++) {
		if (station_n(&n->slots[i]) > 0)
			*slot_of(n->seed, slots, size, n->slots[i].mac) = n->slots[i];
		else
			free(n->slots[i].seen);
	}
	free(n->slots);
	n->slots = slots;
	n->n_slots = size;
	n->n_used = live;
	return 0;
}

/* On so many ports and VLANs one switch may show one MAC: more of them say nothing new, and each is looked at again and again. */
enum { SIGHTINGS_OF_SWITCH = 64, ROWS_OF_SIGHTING = (1 << 13) - 1 };

static bool
is_shown_enough(const struct station *st, const struct sw *sw)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < station_n(st); i++)
		count += st->seen->v[i].slot == sw->slot;
	return count >= SIGHTINGS_OF_SWITCH;
}

static struct seen *
seen_find(struct station *st, const struct sw *sw, uint32_t if_index, uint16_t vlan)
{
	for (uint32_t i = 0; i < station_n(st); i++) {
		struct seen *s = &st->seen->v[i];

		if (s->slot == sw->slot && s->if_index == if_index && s->vlan == vlan)
			return s;
	}
	return NULL;
}

static bool
status_is_live(unsigned status)
{
	return status == FDB_UNSAID || status == FDB_LEARNED;
}

/* Among the first `n` sightings. One MAC in several VLANs of a port counts once; one that routers share counts nowhere. */
static bool
counts_among(const struct station *st, uint32_t n, const struct sw *sw, uint32_t if_index)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct seen *s = &st->seen->v[i];

		if (s->slot == sw->slot && s->if_index == if_index && status_is_live(s->status))
			return !mac_is_virtual_router(mac_of_u64(st->mac));
	}
	return false;
}

static bool
counts_on(const struct station *st, const struct sw *sw, uint32_t if_index)
{
	return counts_among(st, station_n(st), sw, if_index);
}

static void
port_count(const struct sw *sw, uint32_t if_index, bool before, bool after)
{
	struct port *p = before != after ? sw_port(sw, if_index) : NULL;

	if (p == NULL)
		return;
	if (!after && p->stations == 0)
		return;				/* its ports could not be described for want of memory */
	p->stations += after ? 1u : -1u;
}

/* A free slot for a MAC that was never seen. NULL: no room, which is counted. */
static struct station *
station_add(struct net *n, struct mac mac)
{
	struct station *st = slot_of(n->seed, n->slots, n->n_slots, mac_u64(mac));

	if (station_n(st) > 0)
		return st;
	if (n->n_stations >= n->max_stations &&
	    (n->n_stations >= (size_t)n->max_stations + NET_RESERVE || n->precious == NULL || !n->precious(n->arg, mac))) {
		n->refused_stations++;
		return NULL;
	}
	n->n_used += st->mac == 0;
	st->mac = mac_u64(mac) & 0xffffffffffff;
	return st;
}

/* NULL: out of memory. */
static struct seen *
seen_add(struct station *st)
{
	uint32_t n = station_n(st), cap = n == 0 ? 3 : n < 9 ? n + 2 : n + n / 2;	/* most are seen by three switches */
	struct sightings *more;

	if (st->seen == NULL || n == st->seen->cap) {
		if ((more = realloc(st->seen, sizeof *more + cap * sizeof *more->v)) == NULL)
			return NULL;
		more->n = n;
		more->cap = cap;
		st->seen = more;
	}
	return &st->seen->v[st->seen->n++];
}

/* From the first row of a table that finds no memory on none gets a new sighting: either all rows of one are placed or none is. */
static void
sighting_add(struct net *n, struct sw *sw, const struct row_fdb *f, int64_t since)
{
	struct station *st = net_station(n, f->mac);
	struct seen *s = st != NULL ? seen_find(st, sw, f->if_index, f->vlan) : NULL;
	bool before = st != NULL && counts_on(st, sw, f->if_index), crowded;

	if (s != NULL) {
		if (s->rows < ROWS_OF_SIGHTING)
			s->rows++;
		else
			sw->crowded = true;
		s->status = f->status & 7;
		port_count(sw, f->if_index, before, counts_on(st, sw, f->if_index));
		return;
	}
	crowded = st != NULL && station_n(st) >= SIGHTINGS_OF_SWITCH && is_shown_enough(st, sw);
	sw->crowded = sw->crowded || crowded;
	if (mac_is_zero(f->mac) || mac_is_group(f->mac) || crowded) {
		n->refused_stations++;
		return;
	}
	sw->unplaced = sw->unplaced || (st == NULL && slots_grow(n) < 0);
	if (sw->unplaced) {
		n->refused_stations++;
		return;
	}
	if ((st = station_add(n, f->mac)) == NULL)
		return;
	n->n_stations += station_n(st) == 0;
	if ((s = seen_add(st)) == NULL) {
		n->n_stations -= station_n(st) == 0;
		n->refused_stations++;
		sw->unplaced = true;
		return;
	}
	*s = (struct seen){ .slot = sw->slot & (SWITCHES_MAX - 1), .since = (uint64_t)since & SINCE_MAX, .if_index = f->if_index,
		.vlan = f->vlan & 0xfff, .status = f->status & 7, .table = f->table & 15, .rows = 1 };
	port_count(sw, f->if_index, before, counts_on(st, sw, f->if_index));
}

static void
sighting_remove(struct net *n, struct sw *sw, const struct row_fdb *f)
{
	struct station *st = net_station(n, f->mac);
	struct seen *s = st != NULL ? seen_find(st, sw, f->if_index, f->vlan) : NULL;
	bool before;

	if (s == NULL)
		return;			/* it was refused when it came */
	before = counts_on(st, sw, f->if_index);
	if (--s->rows == 0) {
		*s = st->seen->v[--st->seen->n];
		n->n_stations -= st->seen->n == 0;
	}
	port_count(sw, f->if_index, before, counts_on(st, sw, f->if_index));
}

/* ---- members of aggregates */

static int
member_compare(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	return (x->if_index > y->if_index) - (x->if_index < y->if_index);
}

static int
membership_compare(const void *a, const void *b)
{
	const struct member *x = a, *y = b;
	int d = member_compare(a, b);

	return d != 0 ? d : (x->aggregate > y->aggregate) - (x->aggregate < y->aggregate);
}

static uint32_t
folded(const struct members *m, uint32_t if_index)
{
	const struct member key = { if_index, 0 }, *hit;

	hit = m->n == 0 ? NULL : bsearch(&key, m->v, m->n, sizeof key, member_compare);
	return hit != NULL ? hit->aggregate : if_index;
}

uint32_t
sw_folded(const struct sw *sw, uint32_t if_index)
{
	return folded(&sw->members, if_index);
}

static bool
same_members(const struct members *a, const struct members *b)
{
	return a->n == b->n && (a->n == 0 || memcmp(a->v, b->v, a->n * sizeof *a->v) == 0);
}

/* Said twice is said once. */
static void
members_sort(struct members *m)
{
	size_t kept = 0;

	qsort(m->v, m->n, sizeof *m->v, membership_compare);
	for (size_t i = 0; i < m->n; i++)
		if (kept == 0 || membership_compare(&m->v[kept - 1], &m->v[i]) != 0)
			m->v[kept++] = m->v[i];
	m->n = kept;
}

/* Leaves out the members of two aggregates, which come from tables that were not read to their end, and those of aggregates that
 * are members themselves: nothing is known of either. */
static void
members_doubtful_drop(struct members *m)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->n; i++) {		/* 0 marks them */
		bool two = (i > 0 && m->v[i - 1].if_index == m->v[i].if_index) ||
		    (i + 1 < m->n && m->v[i + 1].if_index == m->v[i].if_index);

		if (two || folded(m, m->v[i].aggregate) != m->v[i].aggregate)
			m->v[i].aggregate = 0;
	}
	for (size_t i = 0; i < m->n; i++)
		if (m->v[i].aggregate != 0)
			m->v[kept++] = m->v[i];
	m->n = kept;
}

/* 0 or -ENOMEM. */
static int
members_of(const struct rowset *rest, struct members *out)
{
	struct row_ref ref;
	size_t n = 0;

	*out = (struct members){ 0 };
	for (size_t at = 0; rowset_next(rest, &at, &ref);)
		n += ref.p[0] == ROW_LAG;
	if (n == 0)
		return 0;
	if ((out->v = calloc(n, sizeof *out->v)) == NULL)
		return -ENOMEM;
	for (size_t at = 0; rowset_next(rest, &at, &ref);) {
		struct row r;

		if (ref.p[0] == ROW_LAG && row_unpack(ref.p, ref.n, &r) == 0)
			out->v[out->n++] = (struct member){ r.lag.member, r.lag.if_index };
	}
	members_sort(out);
	members_doubtful_drop(out);
	return 0;
}

struct change {
	struct net		*net;
	struct sw		*sw;
	struct members		 before, after;
	int64_t			 since;
	bool			 add, remove, other;	/* which half to do; rows that describe the switch changed */
	bool			 refold;		/* other members than before */
	const struct net_listener *l;
};

/* A station of a port that became a member, or is none any more, has not come just now. */
static int64_t
since_before(const struct change *c, const struct row_fdb *f)
{
	struct station *st = net_station(c->net, f->mac);
	const struct seen *s = st != NULL ? seen_find(st, c->sw, folded(&c->before, f->if_index), f->vlan) : NULL;

	return s != NULL ? (int64_t)s->since : c->since;
}

/* One row that came or went, on the port that counts. */
static void
change_sighting(struct change *c, const struct row_fdb *row, bool added)
{
	struct row_fdb at = *row, *f = &at;

	if (added) {
		int64_t since = c->refold ? since_before(c, row) : c->since;

		f->if_index = folded(&c->after, row->if_index);
		sighting_add(c->net, c->sw, f, since);
	} else {
		f->if_index = folded(&c->before, row->if_index);
		sighting_remove(c->net, c->sw, f);
	}
	if (!c->net->topology_stale && (c->net->stations_matter || map_get(&c->net->owners, mac_u64(f->mac)) != NULL))
		c->net->topology_stale = true;
	if (c->l->changed != NULL)
		c->l->changed(c->l->arg, f->mac);
}

/* A row of another kind. */
static void
change_other(struct change *c, struct row_ref ref, bool added)
{
	struct row r;

	if (ref.p[0] != ROW_ARP) {
		c->other = true;
		return;
	}
	if (!added || !c->add)
		return;
	if (row_unpack(ref.p, ref.n, &r) < 0) {
		c->net->bad_rows++;
		return;
	}
	if (c->l->address != NULL)
		c->l->address(c->l->arg, r.arp.mac, &r.arp.ip);
	c->sw->has_arp = true;
}

static void
other_added(void *arg, struct row_ref ref)
{
	change_other(arg, ref, true);
}

static void
other_removed(void *arg, struct row_ref ref)
{
	change_other(arg, ref, false);
}

static void
change_row(struct change *c, const struct row_fdb *f, bool added)
{
	if ((added ? c->add : c->remove) && (!c->refold || folded(&c->before, f->if_index) == folded(&c->after, f->if_index)))
		change_sighting(c, f, added);
}

static void
row_added(void *arg, const struct row_fdb *f)
{
	change_row(arg, f, true);
}

static void
row_removed(void *arg, const struct row_fdb *f)
{
	change_row(arg, f, false);
}

/* The rows of ports that became members, or are none any more: fdb_diff() does not tell those that are the same. */
static void
change_refold(struct change *c, const struct fdb *table, bool added)
{
	for (size_t at = 0; c->refold && at < table->n; at++) {
		const struct row_fdb f = fdb_row(table, at);

		if (folded(&c->before, f.if_index) != folded(&c->after, f.if_index))
			change_sighting(c, &f, added);
	}
}

static int
port_compare(const void *a, const void *b)
{
	const struct port *x = a, *y = b;

	return (x->if_index > y->if_index) - (x->if_index < y->if_index);
}

static int
mac_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct mac));
}

struct port *
sw_port(const struct sw *sw, uint32_t if_index)
{
	struct port key = { .if_index = if_index };
	size_t likely;				/* numbers follow one another, mostly */

	if (sw->n_ports == 0)
		return NULL;
	likely = if_index - sw->ports[0].if_index;
	if (likely < sw->n_ports && sw->ports[likely].if_index == if_index)
		return &sw->ports[likely];
	return bsearch(&key, sw->ports, sw->n_ports, sizeof key, port_compare);
}

bool
sw_owns(const struct sw *sw, struct mac mac)
{
	return sw->n_own > 0 && bsearch(&mac, sw->own, sw->n_own, sizeof mac, mac_compare) != NULL;
}

bool
sighting_is_live(const struct sighting *s)
{
	return status_is_live(s->status);
}

static void
ports_free(struct port *ports, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(ports[i].doubt);
	free(ports);
}

static void
sw_describe_free(struct sw *sw)
{
	for (size_t i = 0; i < sw->n_neighbours; i++)
		row_free(&sw->neighbours[i]);
	free(sw->neighbours);
	free(sw->neighbour_is);
	ports_free(sw->ports, sw->n_ports);
	free(sw->texts);
	free(sw->own);
	sw->neighbours = NULL;
	sw->texts = NULL;
	sw->neighbour_is = NULL;
	sw->ports = NULL;
	sw->own = NULL;
	sw->n_neighbours = sw->n_ports = sw->n_own = 0;
}

static void
own_add(struct sw *sw, struct mac mac)
{
	if (!mac_is_zero(mac) && !mac_is_group(mac) && !mac_is_virtual_router(mac))
		sw->own[sw->n_own++] = mac;
}

/* The texts go to the end of `texts`; where they are is told by ports_name(), when it moves no more. */
static void
port_of(struct port *p, const struct row_iface *i, struct buf *texts)
{
	char name[PORT_TEXT], alias[PORT_TEXT];

	*p = (struct port){ .if_index = i->if_index, .phys = i->phys,
		.descr_hash = i->descr.n > 0 ? hash_bytes(i->descr.p, i->descr.n) : 0 };
	octets_text(&i->name, name, sizeof name);
	if (name[0] == '\0')
		octets_text(&i->descr, name, sizeof name);
	octets_text(&i->alias, alias, sizeof alias);
	put_bytes(texts, name, strlen(name) + 1);
	put_bytes(texts, alias, strlen(alias) + 1);
}

/* In the order of port_of(). Takes the texts over. */
static int
ports_name(struct sw *sw, struct buf *texts)
{
	const char *at;

	if (texts->bad) {
		buf_free(texts);
		return -ENOMEM;
	}
	buf_fit(texts);
	sw->texts = (char *)texts->p;
	at = sw->texts;
	assert(sw->n_ports == 0 || texts->len >= 2 * sw->n_ports);	/* two texts a port, each with its end */
	for (size_t i = 0; i < sw->n_ports; i++) {
		sw->ports[i].name = at;
		at = port_alias(&sw->ports[i]);
		at += strlen(at) + 1;
	}
	return 0;
}

/* ---- whose address is whose */

struct sw net_several;

struct sw *
net_owner(const struct net *n, struct mac mac)
{
	struct sw *sw = map_get(&n->owners, mac_u64(mac));

	return sw != &net_several ? sw : NULL;
}

static void
owners_add(struct net *n, struct sw *sw)
{
	for (size_t i = 0; i < sw->n_own; i++) {
		uint64_t mac = mac_u64(sw->own[i]);
		struct sw *now = map_get(&n->owners, mac);

		if (now != sw && map_put(&n->owners, mac, now == NULL ? sw : &net_several) < 0)
			n->refused_stations++;	/* one proof of an uplink fewer, never a wrong one */
	}
}

static void
owners_remove(struct net *n, struct sw *sw)
{
	for (size_t i = 0; i < sw->n_own; i++) {
		uint64_t mac = mac_u64(sw->own[i]);
		struct sw *now = map_get(&n->owners, mac), *left = NULL;

		if (now == NULL || (now != sw && now != &net_several))
			continue;
		for (size_t k = 0; k < n->n_switches && now == &net_several; k++)	/* rare: cloned addresses */
			if (n->switches[k] != sw && sw_owns(n->switches[k], sw->own[i]))
				left = left == NULL ? n->switches[k] : &net_several;
		if (left == NULL)
			map_del(&n->owners, mac);
		else
			map_put(&n->owners, mac, left);
	}
}

/* ---- what a switch says of itself */

/* Each MAC of the table once on each of its ports. Rows of one MAC follow one another. */
static void
stations_count(const struct net *n, struct sw *sw)
{
	struct mac last = { { 0 } };		/* no station has this one */

	for (size_t at = 0; at < sw->table.fdb.n; at++) {
		const struct row_fdb f = fdb_row(&sw->table.fdb, at);
		const struct station *st;

		if (mac_eq(f.mac, last) || (st = net_station(n, f.mac)) == NULL)
			continue;
		last = f.mac;
		for (uint32_t i = 0; i < station_n(st); i++) {
			const struct seen *s = &st->seen->v[i];

			if (s->slot == sw->slot && !counts_among(st, i, sw, s->if_index))
				port_count(sw, s->if_index, false, counts_among(st, i + 1, sw, s->if_index));
		}
	}
}

static void
sw_describe_row(struct sw *sw, struct row *r, struct buf *texts)
{
	switch (r->kind) {
	case ROW_NEIGHBOUR:
		r->neighbour.if_index = sw_folded(sw, r->neighbour.if_index);
		sw->neighbours[sw->n_neighbours++] = *r;	/* owns its octets now */
		return;
	case ROW_IFACE:
		port_of(&sw->ports[sw->n_ports++], &r->iface, texts);
		own_add(sw, r->iface.phys);
		break;
	case ROW_SYSTEM:
		octets_text(&r->system.name, sw->sys_name, sizeof sw->sys_name);
		sw->ageing_s = r->system.ageing_s;
		own_add(sw, r->system.bridge);
		break;
	default:
		break;
	}
	row_free(r);
}

/* Ports, neighbours and own addresses anew from the table; what uplink.c had concluded of a port stays until it is asked again. */
static int
sw_describe(struct net *n, struct sw *sw)
{
	size_t counts[ROW_NKINDS] = { 0 }, n_old = sw->n_ports;
	struct port *old = sw->ports;
	struct buf texts = { 0 };
	struct row_ref ref;

	for (size_t at = 0; rowset_next(&sw->table.rest, &at, &ref);)
		counts[ref.p[0]]++;
	owners_remove(n, sw);
	sw->ports = NULL;
	sw->n_ports = 0;
	sw_describe_free(sw);
	sw->ports = calloc(counts[ROW_IFACE] + 1, sizeof *sw->ports);
	sw->neighbours = calloc(counts[ROW_NEIGHBOUR] + 1, sizeof *sw->neighbours);
	sw->neighbour_is = calloc(counts[ROW_NEIGHBOUR] + 1, sizeof(struct sw *));
	sw->own = calloc(counts[ROW_IFACE] + counts[ROW_SYSTEM] + 1, sizeof *sw->own);
	if (sw->ports == NULL || sw->neighbours == NULL || sw->neighbour_is == NULL || sw->own == NULL) {
		ports_free(old, n_old);
		return -ENOMEM;
	}
	for (size_t at = 0; rowset_next(&sw->table.rest, &at, &ref);) {
		struct row r;

		if (ref.p[0] == ROW_ARP)
			continue;
		if (row_unpack(ref.p, ref.n, &r) == 0)
			sw_describe_row(sw, &r, &texts);
		else
			n->bad_rows++;
	}
	if (ports_name(sw, &texts) < 0) {
		ports_free(old, n_old);
		sw->n_ports = 0;
		return -ENOMEM;
	}
	qsort(sw->ports, sw->n_ports, sizeof *sw->ports, port_compare);
	qsort(sw->own, sw->n_own, sizeof *sw->own, mac_compare);
	owners_add(n, sw);
	net_ports_configure(sw);
	for (size_t i = 0; i < n_old; i++) {
		struct port *p = sw_port(sw, old[i].if_index);

		if (p == NULL)
			continue;
		p->uplink = old[i].uplink;
		p->why = old[i].why;
		p->towards = old[i].towards;
		p->phone = old[i].phone;
		p->changed = old[i].changed;
		if (p->doubt == NULL) {		/* rows of an incomplete table and older ones may give a port twice */
			p->doubt = old[i].doubt;
			old[i].doubt = NULL;
		}
	}
	ports_free(old, n_old);
	for (size_t i = 0; i < sw->n_neighbours; i++) {
		struct port *p = sw_port(sw, sw->neighbours[i].neighbour.if_index);

		if (p != NULL)
			p->has_neighbour = true;
	}
	n->topology_stale = true;
	stations_count(n, sw);
	return 0;
}

static bool
port_is_named(const struct port *p, const struct strlist *names)
{
	for (size_t i = 0; i < names->n; i++) {
		uint64_t v;

		if (str_eq(names->v[i], p->name) || (num_parse(names->v[i], 1, UINT32_MAX, &v) == 0 && v == p->if_index))
			return true;
	}
	return false;
}

/* What the operator says of a member he says of its aggregate. */
static void
configured_fold(struct sw *sw)
{
	for (size_t i = 0; i < sw->members.n; i++) {
		struct port *p = sw_port(sw, sw->members.v[i].if_index), *to = sw_port(sw, sw->members.v[i].aggregate);

		if (p == NULL || to == NULL)
			continue;
		to->configured_uplink |= p->configured_uplink;
		to->configured_access |= p->configured_access;
		p->configured_uplink = p->configured_access = false;
	}
}

void
net_ports_configure(struct sw *sw)
{
	for (size_t i = 0; i < sw->n_ports; i++) {
		sw->ports[i].configured_uplink = port_is_named(&sw->ports[i], &sw->conf->uplinks);
		sw->ports[i].configured_access = port_is_named(&sw->ports[i], &sw->conf->access_ports);
	}
	configured_fold(sw);
}

/* Of a MAC that was on too many ports all that were looked at may have gone, and others are there: the rows of one that has none left
 * come in anew. Rows of one MAC follow one another. */
static void
crowd_again(struct change *c)
{
	struct sw *sw = c->sw;
	struct mac mac = { { 0 } };
	size_t rows = 0;
	bool bare = false;

	sw->crowded = false;
	c->refold = false;		/* what was before is no more */
	for (size_t at = 0; at < sw->table.fdb.n; at++) {
		const struct row_fdb f = fdb_row(&sw->table.fdb, at);

		if (!mac_eq(mac, f.mac)) {
			const struct station *st = net_station(c->net, f.mac);

			mac = f.mac;
			rows = 0;
			bare = true;
			for (uint32_t i = 0; st != NULL && i < station_n(st) && bare; i++)
				bare = st->seen->v[i].slot != sw->slot;
		}
		if (bare)
			change_sighting(c, &f, true);
		sw->crowded = sw->crowded || ++rows > SIGHTINGS_OF_SWITCH;
	}
}

/* The rows of its table that found no memory come in anew, and such a sighting is as of now. */
static void
place_again(struct change *c)
{
	struct sw *sw = c->sw;

	sw->unplaced = false;
	for (size_t at = 0; at < sw->table.fdb.n; at++) {
		const struct row_fdb f = fdb_row(&sw->table.fdb, at);
		struct station *st = net_station(c->net, f.mac);
		const struct seen *s = st != NULL ? seen_find(st, sw, folded(&c->after, f.if_index), f.vlan) : NULL;

		if (s == NULL || s->since == ((uint64_t)c->since & SINCE_MAX))
			change_sighting(c, &f, true);
	}
}

/* Some hundred stations, mostly, which together find room in a cache. */
static void
stations_fetch(const struct net *n, const struct fdb *table)
{
	const struct station *st;

	for (size_t i = 0; i < table->n; i++)
		net_station_fetch(n, mac_u64(table->v[i].mac));
	for (size_t i = 0; i < table->n; i++)
		if ((st = net_station(n, table->v[i].mac)) != NULL)
			__builtin_prefetch(st->seen);
}

int
net_table_set(struct net *n, struct sw *sw, struct swtable *after, int64_t since, const struct net_listener *l)
{
	struct change c = { .net = n, .sw = sw, .before = sw->members, .since = since, .l = l }, again = c;
	struct swtable before = sw->table;

	if (members_of(&after->rest, &c.after) < 0)
		return -ENOMEM;
	c.refold = !same_members(&c.before, &c.after);
	n->version++;				/* nobody asks in between: listeners only note what changed */
	again.after = again.before;
	stations_fetch(n, &after->fdb);
	if (sw->unplaced)
		place_again(&again);
	/* First what came, then what went: a row that only changed its status keeps the time it was first seen here. */
	c.add = true;
	change_refold(&c, &after->fdb, true);	/* before the others: these bring their time along */
	fdb_diff(&before.fdb, &after->fdb, row_removed, row_added, &c);
	rowset_diff(&before.rest, &after->rest, other_removed, other_added, &c);
	c.add = false;
	c.remove = true;
	fdb_diff(&before.fdb, &after->fdb, row_removed, row_added, &c);
	change_refold(&c, &before.fdb, false);
	sw->members = c.after;
	free(c.before.v);
	sw->table = *after;
	*after = (struct swtable){ 0 };
	swtable_free(&before);
	if (sw->crowded)
		crowd_again(&c);
	if (c.other || sw->ports == NULL || sw->undescribed)
		sw->undescribed = sw_describe(n, sw) < 0;
	return sw->undescribed || sw->unplaced ? -ENOMEM : 0;
}

bool
sw_is_reached(const struct sw *sw)
{
	return sw->polls > 0 && (sw->state == SWITCH_OK || sw->state == SWITCH_INCOMPLETE);
}

void
net_state_set(struct net *n, struct sw *sw, enum switch_state state)
{
	bool was = sw_is_reached(sw);

	sw->state = state;
	if (was != sw_is_reached(sw) || sw->doubted)
		n->topology_stale = true;
}

struct sw *
net_switch(const struct net *n, uint64_t key)
{
	return map_get(&n->by_key, key);
}

struct sw *
net_switch_named(const struct net *n, const char *name)
{
	struct sw *sw = map_get(&n->by_name, hash_bytes(name, strlen(name)));

	return sw != NULL && strcmp(sw->name, name) == 0 ? sw : NULL;
}

/* A number for life; that of a switch which has gone is free again, as its sightings went first. false: out of memory, or of numbers. */
static bool
slot_take(struct net *n, struct sw *sw)
{
	size_t i = n->n_by_slot == n->n_switches ? n->n_by_slot : 0;
	struct sw **more;

	while (i < n->n_by_slot && n->by_slot[i] != NULL)
		i++;
	if (i == n->n_by_slot) {
		if (i == SWITCHES_MAX || (more = realloc(n->by_slot, (i + 1) * sizeof(struct sw *))) == NULL)
			return false;
		n->by_slot = more;
		n->n_by_slot++;
	}
	n->by_slot[i] = sw;
	sw->slot = (uint32_t)i;
	return true;
}

struct sw *
net_switch_add(struct net *n, const struct conf_switch *conf)
{
	struct sw **more = realloc(n->switches, (n->n_switches + 1) * sizeof(struct sw *)), *sw;

	if (more == NULL)
		return NULL;
	n->switches = more;
	if (n->cuts == NULL)
		n->cuts = cuts_new();
	if ((sw = calloc(1, sizeof *sw)) == NULL)
		return NULL;
	sw->conf = conf;
	sw->key = conf->key;
	text_cut(sw->name, sizeof sw->name, conf->name);
	sw->index = n->n_switches;
	sw->state = SWITCH_NEVER;
	sw->ageing_s = 300;
	if (!slot_take(n, sw)) {
		free(sw);
		return NULL;
	}
	if (map_put(&n->by_key, sw->key, sw) < 0 || map_put(&n->by_name, hash_bytes(sw->name, strlen(sw->name)), sw) < 0) {
		map_del(&n->by_key, sw->key);
		n->by_slot[sw->slot] = NULL;
		free(sw);
		return NULL;
	}
	n->switches[n->n_switches++] = sw;
	return sw;
}

static void
sw_free(struct sw *sw)
{
	sw_describe_free(sw);
	swtable_free(&sw->table);
	free(sw->members.v);
	free(sw);
}

static void
port_unlink(struct port *p, const struct sw *gone)
{
	if (p->towards == gone)
		p->towards = NULL;
	if (p->doubt != NULL && p->doubt->of == gone)
		p->doubt->of = NULL;
}

void
net_switch_remove(struct net *n, struct sw *sw, const struct net_listener *l)
{
	struct swtable nothing = { 0 };

	assert(sw->findings == NULL);	/* they were told to leave */
	net_table_set(n, sw, &nothing, 0, l);
	owners_remove(n, sw);
	n->version++;
	map_del(&n->by_key, sw->key);
	map_del(&n->by_name, hash_bytes(sw->name, strlen(sw->name)));
	n->switches[sw->index] = n->switches[--n->n_switches];
	n->switches[sw->index]->index = sw->index;
	for (size_t i = 0; i < n->n_switches; i++) {
		struct sw *other = n->switches[i];

		for (size_t p = 0; p < other->n_ports; p++)
			port_unlink(&other->ports[p], sw);
		for (size_t k = 0; k < other->n_neighbours; k++)
			if (other->neighbour_is[k] == sw)
				other->neighbour_is[k] = NULL;
	}
	map_free(&n->heard);			/* until the next pass */
	n->topology_stale = true;
	n->by_slot[sw->slot] = NULL;
	sw_free(sw);
}

void
net_free(struct net *n)
{
	for (size_t i = 0; i < n->n_switches; i++)
		sw_free(n->switches[i]);
	free(n->switches);
	free(n->by_slot);
	for (size_t i = 0; i < n->n_slots; i++)
		free(n->slots[i].seen);
	free(n->slots);
	map_free(&n->by_key);
	map_free(&n->by_name);
	map_free(&n->owners);
	map_free(&n->heard);
	free(n->cuts);
	*n = (struct net){ 0 };
}
