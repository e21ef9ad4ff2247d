/* agent/poller/mib_lag.c: which ports are members of which aggregate (link aggregation group), by IEEE8023-LAG-MIB or else by
 * ifStackTable. Neither is asked where no aggregate is up; what the two do not agree on stays unknown. */
#include <stdlib.h>
#include <string.h>

#include "poller/tables_internal.h"

/* IANAifType. IOS calls a Port-channel propVirtual, as it does a VLAN (recordings:ios_2960x, onms_c3560-switch1). */
enum { TYPE_PROP_VIRTUAL = 53, TYPE_LAG = 161 };
enum { COL_DESCR = 2, COL_TYPE = 3, COL_OPER = 8, COL_ATTACHED = 13, COL_STACK_STATUS = 3 };
enum { OPER_UP = 1, STACK_ACTIVE = 1 };
static const char port_channel[] = "Port-channel";

static bool
is_port_channel(const uint8_t *descr, size_t n)
{
	return n > sizeof port_channel - 1 && memcmp(descr, port_channel, sizeof port_channel - 1) == 0;
}

/* ---- before the join: is there anything to ask for? */

static int
u32_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* What may be an aggregate by its type or its name: few questions hang on it, so that a wrong yes does no harm. */
static bool
may_be_aggregate(const struct tables *t, const struct cell *c)
{
	if (c->tab != TAB_IF || c->n_idx != 1)
		return false;
	if (c->col == COL_TYPE)
		return c->is_number && c->number == TYPE_LAG;
	return c->col == COL_DESCR && !c->is_number && c->n_oct > 0 && is_port_channel(t->oct + c->oct_at, c->n_oct);
}

/* Switches list all the aggregates that they could have (eltex-mes23xx_mes2324b: 48): only one that is up has members. */
void
mib_lag_look(struct tables *t)
{
	uint32_t *v = calloc(t->per_tab[TAB_IF] + 1, sizeof *v);
	size_t n = 0;

	t->aggregates_up = v == NULL;		/* out of memory: better ask */
	for (size_t i = 0; v != NULL && i < t->n_cells; i++)
		if (may_be_aggregate(t, &t->cells[i]))
			v[n++] = t->idx[t->cells[i].idx_at];
	if (n > 0)
		qsort(v, n, sizeof *v, u32_cmp);
	for (size_t i = 0; n > 0 && i < t->n_cells && !t->aggregates_up; i++) {
		const struct cell *c = &t->cells[i];

		t->aggregates_up = c->tab == TAB_IF && c->col == COL_OPER && c->n_idx == 1 && c->is_number && c->number == OPER_UP &&
		    bsearch(&t->idx[c->idx_at], v, n, sizeof *v, u32_cmp) != NULL;
	}
	free(v);
}

bool
wanted_lag(const void *tables)
{
	return ((const struct tables *)tables)->aggregates_up;
}

/* The LAG MIB speaks where it attaches some port to something else than itself; all zero is what it says of static groups. */
bool
wanted_if_stack(const void *tables)
{
	const struct tables *t = tables;

	if (!t->aggregates_up || !step_ok(t, "dot3adAggPort"))
		return false;
	for (size_t i = 0; t->per_tab[TAB_LAG] > 0 && i < t->n_cells; i++) {
		const struct cell *c = &t->cells[i];

		if (c->tab == TAB_LAG && c->col == COL_ATTACHED && c->n_idx == 1 && c->is_number && c->number != 0 &&
		    c->number != t->idx[c->idx_at])
			return false;
	}
	return true;
}

/* ---- the join */

/* What one table says of a port. `aggregate` 0: of none. */
struct claim { uint32_t member, aggregate; uint8_t table; };
struct claims { struct claim *v; size_t n; };

static bool
is_aggregate(const struct row_iface *f)
{
	return f->type == TYPE_LAG || (f->type == TYPE_PROP_VIRTUAL && is_port_channel(f->descr.p, f->descr.n));
}

/* Adds it if both are what they have to be: dropped is a number that names no interface, or one that only happens to. */
static void
claim_add(struct tables *t, struct claims *all, uint32_t member, int64_t aggregate, uint8_t table)
{
	const struct row_iface *m = tables_iface(t, member), *a;

	if (m == NULL || is_aggregate(m)) {
		note_drop(t, m == NULL ? "LAG: a member that is no interface" : "LAG: a member that is an aggregate itself");
		return;
	}
	if (aggregate != 0 && (a = aggregate > 0 && aggregate <= INT32_MAX ? tables_iface(t, (uint32_t)aggregate) : NULL) == NULL) {
		note_drop(t, "LAG: attached to an interface that is not there");
		return;
	}
	if (aggregate != 0 && !is_aggregate(a)) {
		note_drop(t, "LAG: attached to an interface that is no aggregate");
		return;
	}
	all->v[all->n++] = (struct claim){ member, (uint32_t)aggregate, table };
}

/* A port that is attached to itself or to nothing works alone. */
static void
take_attached(struct tables *t, struct claims *all)
{
	struct group g = group_start(t, TAB_LAG);
	int64_t aggregate;

	while (group_next(t, TAB_LAG, &g)) {
		if (g.n_idx != 1)
			note_drop(t, "dot3adAggPort: malformed index");
		else if (group_int(&g, COL_ATTACHED, &aggregate))
			claim_add(t, all, g.idx[0], aggregate == g.idx[0] ? 0 : aggregate, TABLE_DOT3AD);
	}
}

/* Index: the higher layer, the lower one. Most of the table is VLANs over ports, and units over an aggregate (panos_vsys: ae5.10
 * over ae5, both of type 161), which are no members. */
static void
take_stack(struct tables *t, struct claims *all)
{
	struct group g = group_start(t, TAB_STACK);
	int64_t status;

	while (group_next(t, TAB_STACK, &g)) {
		const struct row_iface *higher, *lower;

		if (g.n_idx != 2) {
			note_drop(t, "ifStack: malformed index");
			continue;
		}
		if (g.idx[1] == 0 || !group_int(&g, COL_STACK_STATUS, &status) || status != STACK_ACTIVE ||
		    (higher = tables_iface(t, g.idx[0])) == NULL || !is_aggregate(higher))
			continue;
		if ((lower = tables_iface(t, g.idx[1])) == NULL || !is_aggregate(lower))
			claim_add(t, all, g.idx[1], g.idx[0], TABLE_IFSTACK);
	}
}

static int
claim_cmp(const void *pa, const void *pb)
{
	const struct claim *a = pa, *b = pb;

	if (a->member != b->member)
		return a->member < b->member ? -1 : 1;
	return (int)a->table - (int)b->table;
}

/* The one aggregate that claims of the same port agree on. 0: none, or they do not. */
static uint32_t
agreed(struct tables *t, const struct claim *v, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (v[i].aggregate != v[0].aggregate) {
			note_drop(t, "LAG: a port with two aggregates, or one and none");
			return 0;
		}
	return v[0].aggregate;
}

static int
lag_cmp(const void *pa, const void *pb)
{
	const struct row_lag *a = &((const struct row *)pa)->lag, *b = &((const struct row *)pb)->lag;

	if (a->if_index != b->if_index)
		return a->if_index < b->if_index ? -1 : 1;
	return (a->member > b->member) - (a->member < b->member);
}

static void
claims_join(struct tables *t, struct claims *all)
{
	size_t first = t->n_rows;

	qsort(all->v, all->n, sizeof *all->v, claim_cmp);
	for (size_t i = 0, end; i < all->n; i = end) {
		uint32_t aggregate;
		struct row *r;

		for (end = i + 1; end < all->n && all->v[end].member == all->v[i].member; end++)
			;
		if ((aggregate = agreed(t, &all->v[i], end - i)) == 0)
			continue;
		if ((r = row_add(t, ROW_LAG)) == NULL)
			return;
		r->lag = (struct row_lag){ .if_index = aggregate, .member = all->v[i].member, .table = all->v[i].table };
		note_rule(t, r->lag.table == TABLE_DOT3AD ? "LAG member by dot3adAggPortAttachedAggID" : "LAG member by ifStack");
	}
	qsort(t->rows + first, t->n_rows - first, sizeof *t->rows, lag_cmp);
}

/* Zeros beside no attached port at all are no statement (wanted_if_stack()). */
static bool
speaks(const struct claims *all)
{
	for (size_t i = 0; i < all->n; i++)
		if (all->v[i].aggregate != 0)
			return true;
	return false;
}

void
mib_lag_join(struct tables *t)
{
	size_t cells = t->start[TAB_LAG + 1] - t->start[TAB_LAG] + t->start[TAB_STACK + 1] - t->start[TAB_STACK];
	struct claims all = { 0 };

	if (cells == 0)
		return;
	if ((all.v = calloc(cells, sizeof *all.v)) == NULL) {
		t->no_memory = true;
		return;
	}
	take_attached(t, &all);
	if (!speaks(&all))
		all.n = 0;
	take_stack(t, &all);
	if (all.n > 0)
		claims_join(t, &all);
	free(all.v);
}
