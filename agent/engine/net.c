/* agent/engine/net.c: tables of switches in, an index from MAC to sightings kept in step. */
#include "engine/net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"

static uint64_t
slot_hash(uint64_t mac)
{
	mac *= 0x9e3779b97f4a7c15u;
	return mac ^ mac >> 29;
}

static struct station *
slot_of(struct station *slots, size_t n_slots, uint64_t mac)
{
	size_t i = slot_hash(mac) & (n_slots - 1);

	while (slots[i].mac != 0 && slots[i].mac != mac)
		i = (i + 1) & (n_slots - 1);
	return &slots[i];
}

struct station *
net_station(const struct net *n, struct mac mac)
{
	struct station *s;

	if (n->n_slots == 0)
		return NULL;
	s = slot_of(n->slots, n->n_slots, mac_u64(mac));
	return s->mac != 0 ? s : NULL;
}

/* Room for one more. A station keeps its slot for life: one that is seen nowhere is dropped when the table grows. */
static int
slots_grow(struct net *n)
{
	size_t live = 0, size = 1024;
	struct station *slots;

	if (n->n_slots > 0 && n->n_stations * 4 < n->n_slots * 3)
		return 0;
	for (size_t i = 0; i < n->n_slots; i++)
		live += n->slots[i].n > 0;
	while (size < live * 2)
		size *= 2;
	if ((slots = calloc(size, sizeof *slots)) == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < n->n_slots; i++) {
		if (n->slots[i].n > 0)
			*slot_of(slots, size, n->slots[i].mac) = n->slots[i];
		else
			free(n->slots[i].seen);
	}
	free(n->slots);
	n->slots = slots;
	n->n_slots = size;
	n->n_stations = live;
	return 0;
}

static struct sighting *
sighting_find(struct station *st, const struct sw *sw, uint32_t if_index, uint16_t vlan)
{
	for (uint32_t i = 0; i < st->n; i++)
		if (st->seen[i].sw == sw && st->seen[i].if_index == if_index && st->seen[i].vlan == vlan)
			return &st->seen[i];
	return NULL;
}

static void
sighting_add(struct net *n, struct sw *sw, const struct row_fdb *f, struct wall at)
{
	uint64_t mac = mac_u64(f->mac);
	struct station *st;
	struct sighting *s;
	size_t cap;

	if (mac == 0 || mac_is_group(f->mac) || slots_grow(n) < 0) {
		n->refused_stations++;
		return;
	}
	st = slot_of(n->slots, n->n_slots, mac);
	if (st->mac == 0) {
		if (n->n_stations >= n->max_stations) {
			n->refused_stations++;
			return;
		}
		st->mac = mac;
		n->n_stations++;
	}
	if ((s = sighting_find(st, sw, f->if_index, f->vlan)) != NULL) {
		s->rows++;
		s->status = f->status;
		return;
	}
	cap = st->cap;
	if (st->n == st->cap) {
		struct sighting *more = realloc(st->seen, (cap == 0 ? 2 : cap * 2) * sizeof *more);

		if (more == NULL) {
			n->refused_stations++;
			return;
		}
		st->seen = more;
		st->cap = (uint32_t)(cap == 0 ? 2 : cap * 2);
	}
	st->seen[st->n++] = (struct sighting){ sw, f->if_index, f->vlan, f->status, f->table, 1, at.us };
}

static void
sighting_remove(struct net *n, struct sw *sw, const struct row_fdb *f)
{
	struct station *st = net_station(n, f->mac);
	struct sighting *s = st != NULL ? sighting_find(st, sw, f->if_index, f->vlan) : NULL;

	if (s == NULL)
		return;			/* it was refused when it came */
	if (--s->rows == 0)
		*s = st->seen[--st->n];
}

struct change {
	struct net	*net;
	struct sw	*sw;
	struct wall	 at;
	bool		 add, remove, other;	/* which half to do; anything but FDB rows changed */
	net_changed_fn	*changed;
	void		*arg;
};

static void
change_row(struct change *c, struct row_ref ref, bool added)
{
	struct row r;

	if (ref.p[0] != ROW_FDB) {
		c->other = true;
		return;
	}
	if (added ? !c->add : !c->remove)
		return;
	if (row_unpack(ref.p, ref.n, &r) < 0) {
		c->net->bad_rows++;
		return;
	}
	if (added)
		sighting_add(c->net, c->sw, &r.fdb, c->at);
	else
		sighting_remove(c->net, c->sw, &r.fdb);
	c->changed(c->arg, r.fdb.mac);
}

static void
row_added(void *arg, struct row_ref ref)
{
	change_row(arg, ref, true);
}

static void
row_removed(void *arg, struct row_ref ref)
{
	change_row(arg, ref, false);
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

	return sw->n_ports == 0 ? NULL : bsearch(&key, sw->ports, sw->n_ports, sizeof key, port_compare);
}

bool
sw_owns(const struct sw *sw, struct mac mac)
{
	return sw->n_own > 0 && bsearch(&mac, sw->own, sw->n_own, sizeof mac, mac_compare) != NULL;
}

bool
sighting_is_live(const struct sighting *s)
{
	return s->status == FDB_UNSAID || s->status == FDB_LEARNED;
}

static void
sw_describe_free(struct sw *sw)
{
	for (size_t i = 0; i < sw->n_neighbours; i++)
		row_free(&sw->neighbours[i]);
	free(sw->neighbours);
	free(sw->ports);
	free(sw->own);
	sw->neighbours = NULL;
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

static void
port_of(struct port *p, const struct row_iface *i)
{
	*p = (struct port){ .if_index = i->if_index, .oper = i->oper };
	octets_text(&i->name, p->name, sizeof p->name);
	if (p->name[0] == '\0')
		octets_text(&i->descr, p->name, sizeof p->name);
	octets_text(&i->alias, p->alias, sizeof p->alias);
}

/* Ports, neighbours and own addresses anew from the table. */
static int
sw_describe(struct sw *sw)
{
	size_t counts[ROW_NKINDS] = { 0 }, at = 0;
	struct row_ref ref;

	for (; rowset_next(&sw->table, &at, &ref);)
		if (ref.p[0] < ROW_NKINDS)
			counts[ref.p[0]]++;
	sw_describe_free(sw);
	sw->ports = calloc(counts[ROW_IFACE] + 1, sizeof *sw->ports);
	sw->neighbours = calloc(counts[ROW_NEIGHBOUR] + 1, sizeof *sw->neighbours);
	sw->own = calloc(counts[ROW_IFACE] + counts[ROW_SYSTEM] + 1, sizeof *sw->own);
	sw->fdb_rows = (uint32_t)counts[ROW_FDB];
	if (sw->ports == NULL || sw->neighbours == NULL || sw->own == NULL)
		return -ENOMEM;
	for (at = 0; rowset_next(&sw->table, &at, &ref);) {
		struct row r;

		if (ref.p[0] == ROW_FDB || ref.p[0] == ROW_ARP || row_unpack(ref.p, ref.n, &r) < 0)
			continue;
		if (r.kind == ROW_NEIGHBOUR) {
			sw->neighbours[sw->n_neighbours++] = r;	/* owns its octets now */
			continue;
		}
		if (r.kind == ROW_IFACE) {
			port_of(&sw->ports[sw->n_ports++], &r.iface);
			own_add(sw, r.iface.phys);
		} else if (r.kind == ROW_SYSTEM) {
			octets_text(&r.system.name, sw->sys_name, sizeof sw->sys_name);
			sw->ageing_s = r.system.ageing_s;
			own_add(sw, r.system.bridge);
		}
		row_free(&r);
	}
	qsort(sw->ports, sw->n_ports, sizeof *sw->ports, port_compare);
	qsort(sw->own, sw->n_own, sizeof *sw->own, mac_compare);
	net_ports_configure(sw);
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

void
net_ports_configure(struct sw *sw)
{
	for (size_t i = 0; i < sw->n_ports; i++) {
		sw->ports[i].configured_uplink = port_is_named(&sw->ports[i], &sw->conf->uplinks);
		sw->ports[i].configured_access = port_is_named(&sw->ports[i], &sw->conf->access_ports);
	}
}

int
net_table_set(struct net *n, struct sw *sw, struct rowset *after, struct wall at, net_changed_fn *changed, void *arg)
{
	struct change c = { .net = n, .sw = sw, .at = at, .changed = changed, .arg = arg };
	struct rowset before = sw->table;

	/* First what came, then what went: a row that only changed its status keeps the time it was first seen here. */
	c.add = true;
	rowset_diff(&before, after, ROW_ALL, row_removed, row_added, &c);
	c.add = false;
	c.remove = true;
	rowset_diff(&before, after, ROW_ALL, row_removed, row_added, &c);
	sw->table = *after;
	*after = (struct rowset){ 0 };
	rowset_free(&before);
	if (c.other || sw->ports == NULL)
		return sw_describe(sw);
	return 0;
}

struct sw *
net_switch(const struct net *n, uint64_t key)
{
	for (size_t i = 0; i < n->n_switches; i++)
		if (n->switches[i]->key == key)
			return n->switches[i];
	return NULL;
}

struct sw *
net_switch_named(const struct net *n, const char *name)
{
	for (size_t i = 0; i < n->n_switches; i++)
		if (strcmp(n->switches[i]->name, name) == 0)
			return n->switches[i];
	return NULL;
}

struct sw *
net_switch_add(struct net *n, const struct conf_switch *conf)
{
	struct sw **more = realloc(n->switches, (n->n_switches + 1) * sizeof(struct sw *)), *sw;

	if (more == NULL)
		return NULL;
	n->switches = more;
	if ((sw = calloc(1, sizeof *sw)) == NULL)
		return NULL;
	sw->conf = conf;
	sw->key = conf->key;
	text_cut(sw->name, sizeof sw->name, conf->name);
	sw->index = n->n_switches;
	sw->state = SWITCH_NEVER;
	sw->ageing_s = 300;
	n->switches[n->n_switches++] = sw;
	return sw;
}

static void
sw_free(struct sw *sw)
{
	sw_describe_free(sw);
	rowset_free(&sw->table);
	free(sw);
}

void
net_switch_remove(struct net *n, struct sw *sw, net_changed_fn *changed, void *arg)
{
	struct rowset nothing = { 0 };

	net_table_set(n, sw, &nothing, (struct wall){ 0 }, changed, arg);
	n->switches[sw->index] = n->switches[--n->n_switches];
	n->switches[sw->index]->index = sw->index;
	for (size_t i = 0; i < n->n_switches; i++)
		for (size_t p = 0; p < n->switches[i]->n_ports; p++)
			if (n->switches[i]->ports[p].towards == sw)
				n->switches[i]->ports[p].towards = NULL;
	sw_free(sw);
}

void
net_free(struct net *n)
{
	for (size_t i = 0; i < n->n_switches; i++)
		sw_free(n->switches[i]);
	free(n->switches);
	for (size_t i = 0; i < n->n_slots; i++)
		free(n->slots[i].seen);
	free(n->slots);
	*n = (struct net){ 0 };
}
