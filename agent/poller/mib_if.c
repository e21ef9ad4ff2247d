/* agent/poller/mib_if.c: IF-MIB, and looking for an interface by its names. */
#include <stdlib.h>
#include <string.h>

#include "poller/tables_internal.h"

static int
name_cmp(const void *pa, const void *pb)
{
	const struct name_map *a = pa, *b = pb;
	size_t n = a->n < b->n ? a->n : b->n;
	int d = n > 0 ? memcmp(a->p, b->p, n) : 0;

	return d != 0 ? d : (a->n > b->n) - (a->n < b->n);
}

static uint32_t
by_text(const struct name_map *v, size_t n_v, const uint8_t *p, size_t n)
{
	struct name_map key = { p, n, 0 };
	const struct name_map *m;

	if (n_v == 0 || n == 0 || (m = bsearch(&key, v, n_v, sizeof *v, name_cmp)) == NULL)
		return 0;
	if ((m > v && name_cmp(m - 1, m) == 0) || (m + 1 < v + n_v && name_cmp(m + 1, m) == 0))
		return 0;		/* two interfaces of that name: seen on stacked Brocade */
	return m->if_index;
}

uint32_t
if_by_name(const struct tables *t, const uint8_t *p, size_t n)
{
	return by_text(t->names, t->n_names, p, n);
}

uint32_t
if_by_descr(const struct tables *t, const uint8_t *p, size_t n)
{
	return by_text(t->descrs, t->n_descrs, p, n);
}

/* Few ask for it: chassis whose LLDP port ids are MACs. */
uint32_t
if_by_phys(const struct tables *t, struct mac m)
{
	uint32_t found = 0;

	for (size_t i = 0; i < t->n_rows; i++) {
		const struct row *r = &t->rows[i];

		if (r->kind != ROW_IFACE || !mac_eq(r->iface.phys, m))
			continue;
		if (found != 0)
			return 0;
		found = r->iface.if_index;
	}
	return found;
}

static int
u32_cmp(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

bool
if_exists(const struct tables *t, uint32_t if_index)
{
	return t->n_ifs > 0 && bsearch(&if_index, t->ifs, t->n_ifs, sizeof *t->ifs, u32_cmp) != NULL;
}

static int
iface_cmp(const void *key, const void *row)
{
	return u32_cmp(key, &((const struct row *)row)->iface.if_index);
}

const struct row_iface *
tables_iface(const struct tables *t, uint32_t if_index)
{
	const struct row *r = t->n_ifs > 0 ? bsearch(&if_index, t->rows + t->first_if, t->n_ifs, sizeof *r, iface_cmp) : NULL;

	return r != NULL ? &r->iface : NULL;
}

static void
take(struct tables *t, const struct group *g)
{
	struct row *r;
	struct row_iface *f;
	const uint8_t *p;
	size_t n;
	int64_t v;

	if ((r = row_add(t, ROW_IFACE)) == NULL)
		return;
	f = &r->iface;
	f->if_index = g->idx[0];
	group_set(t, &f->descr, g, 2);
	group_set(t, &f->name, g, COL_IFX + 1);
	f->has_alias = group_set(t, &f->alias, g, COL_IFX + 18);
	if (group_int(g, 3, &v) && v > 0 && v <= 65535)
		f->type = (uint32_t)v;
	if (group_int(g, 8, &v) && v >= 1 && v <= 7)
		f->oper = (uint8_t)v;
	if ((p = group_octets(t, g, 6, &n)) != NULL && n == sizeof f->phys.b)
		memcpy(f->phys.b, p, n);
	t->ifs[t->n_ifs++] = f->if_index;		/* ascending: groups are */
}

void
mib_if_join(struct tables *t)
{
	struct group g = group_start(t, TAB_IF);
	size_t all = t->start[TAB_IF + 1] - t->start[TAB_IF];

	if (all == 0)
		return;
	t->ifs = calloc(all, sizeof *t->ifs);
	t->names = calloc(all, sizeof *t->names);
	t->descrs = calloc(all, sizeof *t->descrs);
	if (t->ifs == NULL || t->names == NULL || t->descrs == NULL) {
		t->no_memory = true;
		return;
	}
	t->first_if = t->n_rows;
	while (group_next(t, TAB_IF, &g)) {
		if (g.n_idx != 1 || g.idx[0] == 0 || g.idx[0] > INT32_MAX) {
			note_drop(t, "ifTable: index that is not one ifIndex");
			continue;
		}
		take(t, &g);
	}
	for (size_t i = 0; i < t->n_rows; i++) {
		const struct row_iface *f = &t->rows[i].iface;

		if (t->rows[i].kind != ROW_IFACE)
			continue;
		if (f->name.n > 0)
			t->names[t->n_names++] = (struct name_map){ f->name.p, f->name.n, f->if_index };
		if (f->descr.n > 0)
			t->descrs[t->n_descrs++] = (struct name_map){ f->descr.p, f->descr.n, f->if_index };
	}
	qsort(t->names, t->n_names, sizeof *t->names, name_cmp);
	qsort(t->descrs, t->n_descrs, sizeof *t->descrs, name_cmp);
}
