/* agent/poller/mib_bridge.c: BRIDGE-MIB and Q-BRIDGE-MIB: forwarding tables, base ports to ifIndex, FDB ids to VLANs; and the
 * tables of Huawei and Juniper that take their place. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "poller/tables_internal.h"

/* FDB id to VLAN; vlan 0: several VLANs share it. Ascending by id. */
struct vlan_map { uint32_t fdb_id; uint16_t vlan; };
struct vlans {
	struct vlan_map	*v;
	size_t		 n;
	bool		 juniper;
};

static int
port_cmp(const void *a, const void *b)
{
	const struct port_map *x = a, *y = b;

	if (x->vlan != y->vlan)
		return x->vlan < y->vlan ? -1 : 1;
	return (x->port > y->port) - (x->port < y->port);
}

uint32_t
if_by_port(const struct tables *t, uint16_t vlan, uint32_t port)
{
	struct port_map key = { vlan, port, 0 };
	const struct port_map *m = t->n_ports > 0 ? bsearch(&key, t->ports, t->n_ports, sizeof *t->ports, port_cmp) : NULL;

	return m != NULL ? m->if_index : 0;
}

static void
take_ports(struct tables *t)
{
	struct group g = group_start(t, TAB_BASEPORT);
	size_t all = t->start[TAB_BASEPORT + 1] - t->start[TAB_BASEPORT];
	int64_t v;

	if (all == 0)
		return;
	if ((t->ports = calloc(all, sizeof *t->ports)) == NULL) {
		t->no_memory = true;
		return;
	}
	while (group_next(t, TAB_BASEPORT, &g)) {
		if (g.n_idx != 1 || !group_int(&g, 2, &v)) {
			note_drop(t, "dot1dBasePort: malformed row");
			continue;
		}
		if (v <= 0 || v > INT32_MAX)
			note_drop(t, "dot1dBasePort: no ifIndex");
		else if (t->n_ifs > 0 && !if_exists(t, (uint32_t)v))
			note_drop(t, "dot1dBasePort: ifIndex that is not in ifTable");
		else
			t->ports[t->n_ports++] = (struct port_map){ g.cells[0]->vlan, g.idx[0], (uint32_t)v };
	}
}

static int
vlan_cmp(const void *pa, const void *pb)
{
	const struct vlan_map *a = pa, *b = pb;

	if (a->fdb_id != b->fdb_id)
		return a->fdb_id < b->fdb_id ? -1 : 1;
	return (int)a->vlan - (int)b->vlan;
}

static int
vlan_id_cmp(const void *pa, const void *pb)
{
	uint32_t x = ((const struct vlan_map *)pa)->fdb_id, y = ((const struct vlan_map *)pb)->fdb_id;

	return (x > y) - (x < y);
}

/* A VLAN that the switch lists under several time marks counts with the newest: the last group wins. */
static void
newest_marks(struct vlan_map *v, size_t *n)
{
	static const uint32_t none = UINT32_MAX;
	uint32_t *fdb = malloc((VLAN_MAX + 1) * sizeof *fdb);
	size_t out = 0;

	if (fdb == NULL)
		return;
	for (unsigned i = 0; i <= VLAN_MAX; i++)
		fdb[i] = none;
	for (size_t i = 0; i < *n; i++)
		fdb[v[i].vlan] = v[i].fdb_id;
	for (unsigned i = 1; i <= VLAN_MAX && out < *n; i++)
		if (fdb[i] != none)
			v[out++] = (struct vlan_map){ fdb[i], (uint16_t)i };
	*n = out;
	free(fdb);
}

static void
vlans_sort(struct vlans *m)
{
	size_t out = 0;

	if (m->n == 0)
		return;
	qsort(m->v, m->n, sizeof *m->v, vlan_cmp);
	for (size_t i = 1; i < m->n; i++) {
		if (m->v[i].fdb_id != m->v[out].fdb_id)
			m->v[++out] = m->v[i];
		else if (m->v[i].vlan != m->v[out].vlan)
			m->v[out].vlan = 0;
	}
	m->n = out + 1;
}

static void
take_vlans(struct tables *t, struct vlans *m)
{
	size_t all = t->start[TAB_VLANFDB + 1] - t->start[TAB_VLANFDB] + t->start[TAB_JNXVLAN + 1] - t->start[TAB_JNXVLAN];
	struct group g = group_start(t, TAB_JNXVLAN);
	bool all_zero = true;
	int64_t v, id;

	if (all == 0)
		return;
	if ((m->v = calloc(all, sizeof *m->v)) == NULL) {
		t->no_memory = true;
		return;
	}
	while (group_next(t, TAB_JNXVLAN, &g)) {
		if (g.n_idx != 1 || !group_int(&g, 3, &v) || v < 1 || v > VLAN_MAX)
			continue;
		/* Where jnxL2aldVlanFdbId is not served: 65536 times the internal number (recording junos_ex4600mp). */
		if (!group_int(&g, 5, &id) || id <= 0 || id > UINT32_MAX)
			id = (int64_t)(g.idx[0] & 0xffff) << 16;
		m->v[m->n++] = (struct vlan_map){ (uint32_t)id, (uint16_t)v };
	}
	m->juniper = m->n > 0;
	if (m->juniper) {
		vlans_sort(m);
		return;
	}
	g = group_start(t, TAB_VLANFDB);
	while (group_next(t, TAB_VLANFDB, &g)) {
		uint32_t vid = g.n_idx >= 1 ? g.idx[g.n_idx - 1] : 0;

		if (g.n_idx > 2 || vid < 1 || vid > VLAN_MAX || !group_int(&g, 3, &v) || v < 0 || v > UINT32_MAX) {
			note_drop(t, "dot1qVlanFdbId: malformed row");
			continue;
		}
		all_zero &= v == 0;
		m->v[m->n++] = (struct vlan_map){ (uint32_t)v, (uint16_t)vid };
	}
	if (m->n > 0 && all_zero) {			/* FortiSwitch */
		note_drop(t, "dot1qVlanFdbId: 0 throughout");
		m->n = 0;
	}
	newest_marks(m->v, &m->n);
	vlans_sort(m);
}

static uint16_t
vlan_of(struct tables *t, const struct vlans *m, uint32_t fdb_id)
{
	struct vlan_map key = { fdb_id, 0 };
	const struct vlan_map *hit;

	if (m->n > 0) {
		if ((hit = bsearch(&key, m->v, m->n, sizeof *m->v, vlan_id_cmp)) == NULL) {
			note_rule(t, "VLAN unknown: FDB id in no VLAN");
			return 0;
		}
		note_rule(t, hit->vlan == 0 ? "VLAN unknown: several VLANs share the FDB id" :
		    m->juniper ? "VLAN by jnxL2aldVlanTag" : "VLAN by dot1qVlanFdbId");
		return hit->vlan;
	}
	if (fdb_id < 1 || fdb_id > VLAN_MAX) {
		note_rule(t, "VLAN unknown: FDB id out of range");
		return 0;
	}
	if (!step_ok(t, "dot1qVlanFdbId")) {
		note_rule(t, "VLAN unknown: dot1qVlanFdbId was not read");
		return 0;
	}
	note_rule(t, "VLAN is the FDB id: no dot1qVlanFdbId");
	return (uint16_t)fdb_id;
}

/* The common part of dot1q and dot1d rows. */
static void
entry_add(struct tables *t, const struct group *g, uint8_t table, struct mac m, uint16_t vlan)
{
	int64_t port = 0, status = 0;
	bool has_port = group_int(g, 2, &port);

	if (group_int(g, 3, &status) && (status == FDB_INVALID || status == FDB_SELF)) {
		note_drop(t, status == FDB_SELF ? "FDB: the switch's own address" : "FDB: invalid entry");
		return;
	}
	if (mac_is_zero(m) || mac_is_group(m)) {
		note_drop(t, "FDB: address that no station has");
		return;
	}
	if (!has_port)
		note_rule(t, "FDB: no port said");
	else if (port <= 0 || port > UINT32_MAX) {
		note_rule(t, port == 0 ? "FDB: port 0" : "FDB: negative port");
		port = 0;
	}
	/* Comware's 6 is a security entry: known, not learned (RFC 4188 has no such value). */
	fdb_add(t, &(struct row_fdb){ .mac = m, .vlan = vlan, .bridge_port = has_port ? (uint32_t)port : 0,
	    .status = status == 0 ? FDB_UNSAID : status > FDB_MGMT || status < 0 ? FDB_OTHER : (uint8_t)status, .table = table });
}

/* FDB id, MAC. Some agents put the length 6 between them; others one number more at the end. One table, one habit. */
static void
take_dot1q(struct tables *t, const struct vlans *vlans)
{
	struct group g = group_start(t, TAB_DOT1Q);
	bool length = true;
	struct mac m;

	while (group_next(t, TAB_DOT1Q, &g))
		if (g.n_idx == 8 && g.idx[1] != 6)
			length = false;
	g = group_start(t, TAB_DOT1Q);
	while (group_next(t, TAB_DOT1Q, &g)) {
		const uint32_t *ids = g.idx + 1;

		if (g.n_idx == 8) {
			ids += length ? 1 : 0;
			note_rule(t, length ? "dot1qTpFdb: index with a length" : "dot1qTpFdb: index with one number too many");
		}
		if ((g.n_idx != 7 && g.n_idx != 8) || !mac_of_ids(ids, &m))
			note_drop(t, "dot1qTpFdb: malformed index");
		else
			entry_add(t, &g, TABLE_DOT1Q, m, vlan_of(t, vlans, g.idx[0]));
	}
}

static bool
dot1d_mac(struct tables *t, const struct group *g, struct mac *m)
{
	size_t n;
	const uint8_t *p;

	if (g->n_idx == 6 && mac_of_ids(g->idx, m))
		return true;
	if (g->n_idx == 7 && g->idx[0] == 6 && mac_of_ids(g->idx + 1, m)) {
		note_rule(t, "dot1dTpFdb: index with a length");
		return true;
	}
	if ((p = group_octets(t, g, 1, &n)) != NULL && n == sizeof m->b) {
		memcpy(m->b, p, n);
		note_rule(t, "dot1dTpFdb: MAC from its column, the index is another");
		return true;
	}
	note_drop(t, "dot1dTpFdb: row without a MAC");
	return false;
}

/* hwDynFdbPort: MAC, VLAN, VSI name with its length; the value is an ifIndex. All of its entries are learned ones. */
static void
take_huawei(struct tables *t)
{
	struct group g = group_start(t, TAB_HWFDB);
	struct mac m;
	int64_t v;

	while (group_next(t, TAB_HWFDB, &g)) {
		if (g.n_idx < 7 || !mac_of_ids(g.idx, &m) || !group_int(&g, 4, &v) || mac_is_zero(m) || mac_is_group(m)) {
			note_drop(t, "hwDynFdb: malformed row");
			continue;
		}
		fdb_add(t, &(struct row_fdb){ .mac = m, .status = FDB_LEARNED, .table = TABLE_HWDYNFDB,
		    .vlan = g.idx[6] >= 1 && g.idx[6] <= VLAN_MAX ? (uint16_t)g.idx[6] : 0,
		    .if_index = v > 0 && v <= INT32_MAX && (t->n_ifs == 0 || if_exists(t, (uint32_t)v)) ? (uint32_t)v : 0 });
	}
}

static int
u32_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* What the switch says of a bridge port in the context that the row is of. */
static uint32_t
if_of(const struct tables *t, const struct row_fdb *f)
{
	return if_by_port(t, f->table == TABLE_DOT1D ? f->vlan : 0, f->bridge_port);
}

/* True when the column of ports holds ifIndexes: not one is a bridge port, and most are interfaces (Alcatel OS6250, Extreme VOSS,
 * quirks rule 6c). Never where a table of bridge ports was not read to its end. */
static bool
ports_are_ifs(struct tables *t, size_t first)
{
	uint32_t *v = calloc(t->n_fdb - first + 1, sizeof *v);
	size_t n = 0, all = 0, known = 0, exist = 0;

	if (v == NULL) {
		t->no_memory = true;
		return false;
	}
	for (size_t i = first; i < t->n_fdb; i++)
		if (t->fdb[i].bridge_port != 0) {
			v[n++] = t->fdb[i].bridge_port;
			known += if_of(t, &t->fdb[i]) != 0;
		}
	qsort(v, n, sizeof *v, u32_cmp);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && v[i] == v[i - 1])
			continue;
		all++;
		exist += if_exists(t, v[i]);
	}
	free(v);
	return all > 0 && known == 0 && exist * 2 > all && step_ok(t, "dot1dBasePort") && step_ok(t, "ifTable") &&
	    !step_failed(t, "dot1dBasePort per VLAN");
}

static void
place(struct tables *t, size_t first)
{
	bool same = ports_are_ifs(t, first);

	for (size_t i = first; i < t->n_fdb; i++) {
		struct row_fdb *f = &t->fdb[i];

		if (f->bridge_port == 0)
			continue;
		if ((f->if_index = if_of(t, f)) != 0)
			note_rule(t, "FDB port by dot1dBasePortIfIndex");
		else if (same && if_exists(t, f->bridge_port)) {
			f->if_index = f->bridge_port;
			note_rule(t, "FDB port is an ifIndex: no port of the table is a bridge port");
		} else
			note_rule(t, "FDB port unknown: no dot1dBasePortIfIndex");
	}
}

static bool
placed(const struct row_fdb *f)
{
	return f->bridge_port != 0 || f->if_index != 0;
}

static int
u64_cmp(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* How well a row says where its MAC is: one with a port before one without; then a table with VLANs, a VLAN's context, the default
 * context (which repeats a VLAN or hides them all). */
static uint64_t
worth(const struct row_fdb *f)
{
	return (placed(f) ? 4u : 0u) + (f->table != TABLE_DOT1D ? 2u : f->vlan != 0 ? 1u : 0u);
}

/* Mostly: one table, and it says of each entry where it is. */
static bool
all_alike(const struct tables *t)
{
	for (size_t i = 1; i < t->n_fdb; i++)
		if (worth(&t->fdb[i]) != worth(&t->fdb[0]))
			return false;
	return true;
}

/* Of each MAC the rows of the best worth stay: further ones say the same with less. */
static void
drop_repeats(struct tables *t)
{
	size_t n = t->n_fdb, out = 0;
	uint64_t *keys;

	if (all_alike(t))
		return;
	if ((keys = calloc(n, sizeof *keys)) == NULL) {
		t->no_memory = true;
		return;
	}
	for (size_t i = 0; i < n; i++)
		keys[i] = mac_u64(t->fdb[i].mac) << 3 | worth(&t->fdb[i]);
	qsort(keys, n, sizeof *keys, u64_cmp);
	for (size_t i = 0; i < n; i++) {
		uint64_t mac = mac_u64(t->fdb[i].mac);
		size_t lo = 0, hi = n;		/* the last key of this MAC */

		while (hi - lo > 1) {
			size_t mid = lo + (hi - lo) / 2;

			if (keys[mid] >> 3 <= mac)
				lo = mid;
			else
				hi = mid;
		}
		assert(keys[lo] >> 3 == mac);
		if ((keys[lo] & 7) == worth(&t->fdb[i]))
			t->fdb[out++] = t->fdb[i];
	}
	t->n_fdb = out;
	free(keys);
}

/* The rows of one context, from `at` on; ascending by VLAN. */
static size_t
run_end(const struct tables *t, size_t at)
{
	size_t end = at;

	while (end < t->n_fdb && t->fdb[end].vlan == t->fdb[at].vlan)
		end++;
	return end;
}

/* Some agents take no notice of the context and show the whole table in each (NX-OS since 7.0(3)I4, cited: netdisco #652): the VLAN
 * asked for says nothing then. Seen when two VLANs or more have entries, all of them the very ones of the default context. */
static void
drop_echoes(struct tables *t, size_t first)
{
	size_t own = first < t->n_fdb && t->fdb[first].vlan == 0 ? run_end(t, first) - first : 0, echoes = 0;

	for (size_t at = first + own, end; at < t->n_fdb; at = end, echoes++) {
		end = run_end(t, at);
		if (end - at != own)
			return;
		for (size_t i = 0; i < own; i++) {
			const struct row_fdb *a = &t->fdb[first + i], *b = &t->fdb[at + i];

			if (mac_u64(a->mac) != mac_u64(b->mac) || a->bridge_port != b->bridge_port)
				return;
		}
	}
	if (echoes < 2)
		return;
	t->n_fdb = first + own;
	note_rule(t, "VLAN unknown: each VLAN context shows the same entries");
}

void
mib_bridge_join(struct tables *t)
{
	struct vlans vlans = { 0 };
	struct group g = group_start(t, TAB_DOT1D);
	size_t at;
	struct mac m;

	take_ports(t);
	take_vlans(t, &vlans);
	take_dot1q(t, &vlans);
	free(vlans.v);
	place(t, 0);
	at = t->n_fdb;
	while (group_next(t, TAB_DOT1D, &g))
		if (dot1d_mac(t, &g, &m))
			entry_add(t, &g, TABLE_DOT1D, m, g.cells[0]->vlan);
	drop_echoes(t, at);
	for (size_t i = at; i < t->n_fdb; i++)
		if (t->fdb[i].vlan != 0)
			note_rule(t, "VLAN by its context");
	place(t, at);
	take_huawei(t);
	drop_repeats(t);
}
