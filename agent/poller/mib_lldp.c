/* agent/poller/mib_lldp.c: LLDP-MIB, LLDP-EXT-MED-MIB and LLDP-V2-MIB: neighbours, and which interface their port is. */
#include <stdlib.h>
#include <string.h>

#include "poller/tables_internal.h"

enum { ID_MAC_PORT = 3, ID_MAC_CHASSIS = 4, ID_NET_PORT = 4, ID_NET_CHASSIS = 5, ID_LOCAL_PORT = 7 };

/* What identifies a neighbour of the old table for one poll, without the time mark. Where sub-identifiers are missing: 0. */
struct rem_key { uint32_t mark, port, rem; };

static bool
key_of(const struct group *g, struct rem_key *k)
{
	switch (g->n_idx) {
	case 3:
		*k = (struct rem_key){ g->idx[0], g->idx[1], g->idx[2] };
		return true;
	case 2:			/* TP-Link: no time mark */
		*k = (struct rem_key){ 0, g->idx[0], g->idx[1] };
		return true;
	case 1:			/* RouterOS: nothing but the number */
		*k = (struct rem_key){ 0, 0, g->idx[0] };
		return true;
	default:
		return false;
	}
}

void
group_set_id(struct tables *t, struct octets *o, const struct group *g, unsigned col, bool mac, bool net)
{
	size_t n;
	const uint8_t *p = group_octets(t, g, col, &n);
	bool raw;

	if (p == NULL)
		return;
	raw = (mac && n == 6) || (net && (n == 5 || n == 17));
	if (mac && n > 6) {				/* six octets and then zeros */
		size_t end = n;

		while (end > 6 && p[end - 1] == 0)
			end--;
		if (end == 6 && n != 6) {
			n = 6;
			raw = true;
		}
	}
	if (!raw && n == 6)
		for (size_t i = 0; i < n; i++)
			raw |= p[i] < ' ' || p[i] > '~';
	if (!raw) {
		group_set(t, o, g, col);
		return;
	}
	if ((o->p = malloc(n)) == NULL) {
		t->no_memory = true;
		return;
	}
	memcpy(o->p, p, n);
	o->n = n;
}

static uint8_t
small(const struct group *g, unsigned col)
{
	int64_t v;

	return group_int(g, col, &v) && v > 0 && v < 256 ? (uint8_t)v : 0;
}

/* `c`: the column of the chassis subtype; the others follow it in the same order in both MIBs. */
static void
fill(struct tables *t, struct row_neighbour *nb, const struct group *g, unsigned c)
{
	size_t n;
	const uint8_t *p;

	nb->chassis_subtype = small(g, c);
	nb->port_subtype = small(g, c + 2);
	group_set_id(t, &nb->chassis, g, c + 1, nb->chassis_subtype == ID_MAC_CHASSIS, nb->chassis_subtype == ID_NET_CHASSIS);
	group_set_id(t, &nb->port, g, c + 3, nb->port_subtype == ID_MAC_PORT, nb->port_subtype == ID_NET_PORT);
	group_set(t, &nb->port_desc, g, c + 4);
	group_set(t, &nb->sys_name, g, c + 5);
	group_set(t, &nb->sys_desc, g, c + 6);
	if ((p = group_octets(t, g, c + 8, &n)) != NULL && (n == 1 || n == 2)) {
		nb->caps = (uint16_t)(p[0] << 8 | (n == 2 ? p[1] : 0));
		nb->caps_known = true;
	}
	nb->med_class = small(g, COL_MED_CLASS + 3);
	group_set(t, &nb->med_hw, g, COL_MED + 1);
	group_set(t, &nb->med_fw, g, COL_MED + 2);
	group_set(t, &nb->med_sw, g, COL_MED + 3);
	group_set(t, &nb->med_serial, g, COL_MED + 4);
	group_set(t, &nb->med_maker, g, COL_MED + 5);
	group_set(t, &nb->med_model, g, COL_MED + 6);
	group_set(t, &nb->med_asset, g, COL_MED + 7);
}

/* Trims as octets_set() does, so that it compares with names. */
static size_t
trimmed(const uint8_t *p, size_t n)
{
	while (n > 0 && (p[n - 1] == '\0' || p[n - 1] == ' ' || (p[n - 1] >= '\t' && p[n - 1] <= '\r')))
		n--;
	return n;
}

/* quirks rule 13: names first, then numbers; 0: unknown. */
static uint32_t
local_port(struct tables *t, uint32_t port)
{
	struct group g = group_start(t, TAB_LOCPORT);
	size_t lo = t->start[TAB_LOCPORT], hi = t->start[TAB_LOCPORT + 1];
	const uint8_t *p;
	size_t n;
	uint32_t i = 0;
	struct mac m;

	while (lo < hi) {			/* the first cell whose index is not below `port` */
		size_t mid = lo + (hi - lo) / 2;
		const struct cell *c = t->order[mid];

		if (c->n_idx > 0 && t->idx[c->idx_at] >= port)
			hi = mid;
		else
			lo = mid + 1;
	}
	g.next = lo;
	if (group_next(t, TAB_LOCPORT, &g) && g.n_idx == 1 && g.idx[0] == port) {
		uint8_t subtype = small(&g, 2);

		if ((p = group_octets(t, &g, 3, &n)) != NULL) {
			struct octets o = { (uint8_t *)p, n };	/* only read */

			if ((i = if_by_name(t, p, trimmed(p, n))) != 0 || (i = if_by_descr(t, p, trimmed(p, n))) != 0) {
				note_rule(t, "LLDP port by lldpLocPortId");
				return i;
			}
			if (subtype == ID_MAC_PORT && octets_mac(&o, &m) && (i = if_by_phys(t, m)) != 0) {
				note_rule(t, "LLDP port by the MAC in lldpLocPortId");
				return i;
			}
		}
		if ((p = group_octets(t, &g, 4, &n)) != NULL &&
		    ((i = if_by_name(t, p, trimmed(p, n))) != 0 || (i = if_by_descr(t, p, trimmed(p, n))) != 0)) {
			note_rule(t, "LLDP port by lldpLocPortDesc");
			return i;
		}
		if (subtype == ID_LOCAL_PORT && (p = group_octets(t, &g, 3, &n)) != NULL && (n = trimmed(p, n)) > 0 && n < 11) {
			char text[12];
			uint64_t v;

			memcpy(text, p, n);
			text[n] = '\0';
			if (num_parse(text, 1, INT32_MAX, &v) == 0 && if_exists(t, (uint32_t)v)) {
				note_rule(t, "LLDP port by the number in lldpLocPortId");
				return (uint32_t)v;
			}
		}
	}
	if ((i = if_by_port(t, 0, port)) != 0)
		note_rule(t, "LLDP port is a bridge port");
	else if (port != 0 && if_exists(t, port) && step_ok(t, "dot1dBasePort")) {
		i = port;
		note_rule(t, "LLDP port is an ifIndex");
	} else
		note_rule(t, "LLDP port unknown");
	return i;
}

/* The neighbours of one table: where they stand among the rows, sorted by port and number. */
struct rem_at { struct rem_key key; size_t row; };

static int
rem_cmp(const void *pa, const void *pb)
{
	const struct rem_key *a = &((const struct rem_at *)pa)->key, *b = &((const struct rem_at *)pb)->key;

	if (a->port != b->port)
		return a->port < b->port ? -1 : 1;
	return (a->rem > b->rem) - (a->rem < b->rem);
}

static int
rem_mark_cmp(const void *pa, const void *pb)
{
	uint32_t x = ((const struct rem_at *)pa)->key.mark, y = ((const struct rem_at *)pb)->key.mark;
	int d = rem_cmp(pa, pb);

	return d != 0 ? d : (x < y) - (x > y);		/* the newest first */
}

static bool
same_neighbour(const struct row_neighbour *a, const struct row_neighbour *b)
{
	return a->chassis.n == b->chassis.n && (a->chassis.n == 0 || memcmp(a->chassis.p, b->chassis.p, a->chassis.n) == 0);
}

static void
add_address(struct tables *t, struct row_neighbour *nb, const uint32_t *ids, size_t n)
{
	struct ip ip;

	/* subtype (IANA family), length, octets; FortiSwitch, SLX-OS and others leave out the length */
	if (n < 2) {
		note_drop(t, "lldpRemManAddr: malformed index");
		return;
	}
	if (ids[0] != 1 && ids[0] != 2) {
		note_drop(t, "lldpRemManAddr: neither IPv4 nor IPv6");
		return;
	}
	if (!(ids[1] == n - 2 && ip_of_ids(ids + 2, n - 2, &ip)) && !ip_of_ids(ids + 1, n - 1, &ip)) {
		note_drop(t, "lldpRemManAddr: malformed index");
		return;
	}
	if (ip_eq(&ip, &(struct ip){ .family = ip.family })) {
		note_drop(t, "lldpRemManAddr: all zero");
		return;
	}
	for (unsigned i = 0; i < nb->n_mgmt; i++)
		if (ip_eq(&nb->mgmt[i], &ip))
			return;
	if (nb->n_mgmt < ROW_MGMT_ADDRS)
		nb->mgmt[nb->n_mgmt++] = ip;
	else
		note_drop(t, "lldpRemManAddr: more than 8 addresses");
}

static const struct rem_at *
rem_find(const struct rem_at *v, size_t n, uint32_t port, uint32_t rem)
{
	struct rem_at key = { .key = { 0, port, rem } };

	return n > 0 ? bsearch(&key, v, n, sizeof *v, rem_cmp) : NULL;
}

static void
take_rem(struct tables *t)
{
	size_t all = t->start[TAB_REM + 1] - t->start[TAB_REM], first = t->n_rows, n = 0, out = 0;
	struct group g = group_start(t, TAB_REM);
	struct rem_at *v;
	struct rem_key k;

	if (all == 0)
		return;
	if ((v = calloc(all, sizeof *v)) == NULL) {
		t->no_memory = true;
		return;
	}
	while (group_next(t, TAB_REM, &g)) {
		struct row *r;

		if (!key_of(&g, &k)) {
			note_drop(t, "lldpRem: malformed index");
			continue;
		}
		if (g.cells[0]->col >= COL_MED) {
			note_drop(t, "LLDP-MED: row of no neighbour");
			continue;
		}
		if ((r = row_add(t, ROW_NEIGHBOUR)) == NULL)
			break;
		r->neighbour.table = TABLE_LLDP;
		r->neighbour.port_num = k.port;
		r->neighbour.rem_index = k.rem;
		fill(t, &r->neighbour, &g, 4);
		v[n++] = (struct rem_at){ k, t->n_rows - 1 };
	}
	/* TimeFilter: the same neighbour under several time marks is one; the newest counts. */
	qsort(v, n, sizeof *v, rem_mark_cmp);
	for (size_t i = 1; i < n; i++) {
		struct row *a = &t->rows[v[out].row], *b = &t->rows[v[i].row];

		if (rem_cmp(&v[out], &v[i]) == 0 && same_neighbour(&a->neighbour, &b->neighbour)) {
			row_free(b);
			b->kind = ROW_NKINDS;			/* taken out below */
			note_rule(t, "lldpRem: repeated under another time mark");
		} else
			v[++out] = v[i];
	}
	n = n > 0 ? out + 1 : 0;
	g = group_start(t, TAB_REMADDR);
	while (group_next(t, TAB_REMADDR, &g)) {
		const struct rem_at *at = g.n_idx > 4 ? rem_find(v, n, g.idx[1], g.idx[2]) : NULL;

		if (at == NULL)
			note_drop(t, "lldpRemManAddr: of no neighbour");
		else
			add_address(t, &t->rows[at->row].neighbour, g.idx + 3, g.n_idx - 3);
	}
	free(v);
	for (size_t i = out = first; i < t->n_rows; i++)
		if (t->rows[i].kind != ROW_NKINDS)
			t->rows[out++] = t->rows[i];
	t->n_rows = out;
	for (size_t i = first; i < t->n_rows; i++) {
		struct row_neighbour *nb = &t->rows[i].neighbour;

		if (nb->port_num != 0)
			nb->if_index = local_port(t, nb->port_num);
	}
}

/* Time mark, ifIndex, number of the destination address, number; the local port is said outright. */
static void
take_rem2(struct tables *t)
{
	size_t all = t->start[TAB_REM2 + 1] - t->start[TAB_REM2], n = 0;
	struct group g = group_start(t, TAB_REM2);
	struct rem_at *v;

	if (all == 0 || t->start[TAB_REM + 1] != t->start[TAB_REM])
		return;
	if ((v = calloc(all, sizeof *v)) == NULL) {
		t->no_memory = true;
		return;
	}
	while (group_next(t, TAB_REM2, &g)) {
		struct row *r;

		if (g.n_idx != 4) {
			note_drop(t, "lldpV2Rem: malformed index");
			continue;
		}
		if ((r = row_add(t, ROW_NEIGHBOUR)) == NULL)
			break;
		r->neighbour.table = TABLE_LLDPV2;
		r->neighbour.port_num = g.idx[1];
		r->neighbour.rem_index = g.idx[3];
		r->neighbour.if_index = t->n_ifs == 0 || if_exists(t, g.idx[1]) ? g.idx[1] : 0;
		fill(t, &r->neighbour, &g, 5);
		v[n++] = (struct rem_at){ { g.idx[0], g.idx[1], g.idx[3] }, t->n_rows - 1 };
	}
	qsort(v, n, sizeof *v, rem_mark_cmp);
	g = group_start(t, TAB_REMADDR2);
	while (group_next(t, TAB_REMADDR2, &g)) {
		const struct rem_at *at = g.n_idx > 5 ? rem_find(v, n, g.idx[1], g.idx[3]) : NULL;

		if (at == NULL)
			note_drop(t, "lldpRemManAddr: of no neighbour");
		else
			add_address(t, &t->rows[at->row].neighbour, g.idx + 4, g.n_idx - 4);
	}
	free(v);
}

void
mib_lldp_join(struct tables *t)
{
	take_rem(t);
	take_rem2(t);
}
