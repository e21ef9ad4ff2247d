/* agent/model/swtable.c: the rows of one switch in little memory. */
#include "model/swtable.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/num.h"

#define SAID_MAX (1u << 24)		/* three octets */

static uint64_t secret;

void
swtable_seed(uint64_t seed)
{
	secret = seed;
}

static void
fdb_free(struct fdb *t)
{
	free(t->v);
	free(t->said);
	*t = (struct fdb){ 0 };
}

void
swtable_free(struct swtable *t)
{
	fdb_free(&t->fdb);
	rowset_free(&t->rest);
}

/* ---- building one in order */

struct builder {
	struct fdb	 t;
	size_t		 cap_said, room;
	struct map	 known;			/* hash of a fdb_said to its number and 1 */
	bool		 bad;			/* out of memory */
};

/* false: out of memory. */
static bool
build_begin(struct builder *b, size_t rows)
{
	*b = (struct builder){ .known = { .seed = secret } };
	b->room = rows;
	return rows == 0 || (b->t.v = malloc(rows * sizeof *b->t.v)) != NULL;
}

/* Its number, of a new one, too. */
static size_t
said_number(struct builder *b, const struct fdb_said *s)
{
	uint64_t hash = hash_bytes(s, sizeof *s);
	size_t at = (uintptr_t)map_get(&b->known, hash);

	if (at > 0 && memcmp(&b->t.said[at - 1], s, sizeof *s) == 0)
		return at - 1;
	if (b->t.n_said == b->cap_said) {
		size_t cap = b->cap_said == 0 ? 32 : b->cap_said * 2;
		void *more = realloc(b->t.said, cap * sizeof *s);

		if (more == NULL) {
			b->bad = true;
			return 0;
		}
		b->t.said = more;
		b->cap_said = cap;
	}
	assert(b->t.n_said < SAID_MAX);
	b->t.said[b->t.n_said++] = *s;
	if (at == 0 && map_put(&b->known, hash, (void *)(uintptr_t)b->t.n_said) < 0)
		b->bad = true;
	return b->t.n_said - 1;
}

/* In order, each row once; there is room. */
static void
build_add(struct builder *b, const struct row_fdb *f)
{
	const struct fdb_said said = { f->if_index, f->bridge_port, f->vlan, f->status, f->table };
	size_t n = said_number(b, &said);

	b->t.v[b->t.n++] = (struct fdb_entry){ f->mac, { (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n } };
}

/* 0 or -ENOMEM; what was built is gone then. */
static int
build_end(struct builder *b, struct fdb *out)
{
	void *fit = b->t.n_said < b->cap_said ? realloc(b->t.said, b->t.n_said * sizeof *b->t.said) : NULL;

	map_free(&b->known);
	if (fit != NULL)
		b->t.said = fit;
	if (b->t.n > 0 && b->t.n < b->room && (fit = realloc(b->t.v, b->t.n * sizeof *b->t.v)) != NULL)
		b->t.v = fit;
	if (b->bad) {
		fdb_free(&b->t);
		return -ENOMEM;
	}
	*out = b->t;
	return 0;
}

/* ---- comparing */

#define THREE_WAY(a, b) (((a) > (b)) - ((a) < (b)))

static int
row_compare(const struct row_fdb *a, const struct row_fdb *b)
{
	int d = memcmp(&a->mac, &b->mac, sizeof a->mac);

	if (d == 0)
		d = THREE_WAY(a->vlan, b->vlan);
	if (d == 0)
		d = THREE_WAY(a->if_index, b->if_index);
	if (d == 0)
		d = THREE_WAY(a->bridge_port, b->bridge_port);
	if (d == 0)
		d = THREE_WAY(a->status, b->status);
	return d != 0 ? d : THREE_WAY(a->table, b->table);
}

/* Goes through two tables at once: <0: *a is in the first only, >0: *b in the second only, 0: in both. false: both are through. */
static bool
pair_next(const struct fdb *ta, const struct fdb *tb, size_t *ia, size_t *ib, struct row_fdb *a, struct row_fdb *b, int *order)
{
	bool have_a = *ia < ta->n, have_b = *ib < tb->n;

	if (have_a)
		*a = fdb_row(ta, *ia);
	if (have_b)
		*b = fdb_row(tb, *ib);
	*order = have_a && have_b ? row_compare(a, b) : have_a ? -1 : 1;
	*ia += have_a && *order <= 0;
	*ib += have_b && *order >= 0;
	return have_a || have_b;
}

void
fdb_diff(const struct fdb *before, const struct fdb *after, fdb_diff_fn *removed, fdb_diff_fn *added, void *arg)
{
	struct row_fdb a, b;
	int order;

	for (size_t ia = 0, ib = 0; pair_next(before, after, &ia, &ib, &a, &b, &order);) {
		if (order < 0)
			removed(arg, &a);
		else if (order > 0)
			added(arg, &b);
	}
}

static bool
same_octets(const void *a, size_t na, const void *b, size_t nb)
{
	return na == nb && (na == 0 || memcmp(a, b, na) == 0);
}

bool
swtable_same(const struct swtable *a, const struct swtable *b)
{
	return same_octets(a->rest.bytes.p, a->rest.bytes.len, b->rest.bytes.p, b->rest.bytes.len) &&
	    same_octets(a->fdb.v, a->fdb.n * sizeof *a->fdb.v, b->fdb.v, b->fdb.n * sizeof *b->fdb.v) &&
	    same_octets(a->fdb.said, a->fdb.n_said * sizeof *a->fdb.said, b->fdb.said, b->fdb.n_said * sizeof *b->fdb.said);
}

/* ---- whole tables */

static bool
is_fdb(struct row_ref r)
{
	return r.p[0] == ROW_FDB;
}

size_t
swtable_count(const struct swtable *t)
{
	return t->fdb.n + t->rest.count;
}

/* What is left of the rows without the MAC table, in the memory of all. */
static void
rest_of(struct rowset *rows)
{
	size_t at = 0, to = 0;
	struct row_ref r;

	rows->count = 0;
	while (rowset_next(rows, &at, &r)) {
		if (is_fdb(r))
			continue;
		memmove(rows->bytes.p + to, r.p - 2, r.n + 2);
		to += r.n + 2;
		rows->count++;
	}
	rows->bytes.len = to;
	buf_fit(&rows->bytes);
}

int
swtable_of(struct swtable *out, struct rowset *rows, uint64_t *bad)
{
	struct builder b;
	struct row_ref r;
	struct row_fdb f;
	size_t n = 0;

	*out = (struct swtable){ 0 };
	for (size_t at = 0; rowset_next(rows, &at, &r);)
		n += is_fdb(r);
	if (!build_begin(&b, n))
		return -ENOMEM;
	for (size_t at = 0; rowset_next(rows, &at, &r);) {
		if (!is_fdb(r))
			continue;
		if (row_fdb_unpack(r.p, r.n, &f))
			build_add(&b, &f);
		else
			++*bad;
	}
	if (build_end(&b, &out->fdb) < 0)
		return -ENOMEM;
	rest_of(rows);
	out->rest = *rows;
	*rows = (struct rowset){ 0 };
	return 0;
}

int
swtable_keep(struct swtable *now, const struct swtable *before, unsigned complete)
{
	struct builder build;
	struct row_fdb a, b;
	struct fdb merged;
	int order;

	if (rowset_keep(&now->rest, &before->rest, complete) < 0)
		return -ENOMEM;
	if ((complete & ROW_BIT(ROW_FDB)) != 0)
		return 0;
	if (!build_begin(&build, now->fdb.n + before->fdb.n))
		return -ENOMEM;
	for (size_t ia = 0, ib = 0; pair_next(&before->fdb, &now->fdb, &ia, &ib, &a, &b, &order);)
		build_add(&build, order < 0 ? &a : &b);
	if (build_end(&build, &merged) < 0)
		return -ENOMEM;
	fdb_free(&now->fdb);
	now->fdb = merged;
	return 0;
}

static void
fdb_pack(const struct fdb *t, struct rowset *out)
{
	for (size_t i = 0; i < t->n; i++) {
		struct row_fdb f = fdb_row(t, i);

		put_u16(&out->bytes, ROW_FDB_OCTETS);
		row_fdb_pack(&out->bytes, &f);
	}
	out->count += t->n;
}

void
swtable_pack(const struct swtable *t, struct buf *out)
{
	struct rowset all = { 0 };
	bool packed = false;
	struct row_ref r;

	for (size_t at = 0; rowset_next(&t->rest, &at, &r);) {
		if (!packed && r.p[0] > ROW_FDB) {
			fdb_pack(&t->fdb, &all);
			packed = true;
		}
		put_octets(&all.bytes, r.p, r.n);
		all.count++;
	}
	if (!packed)
		fdb_pack(&t->fdb, &all);
	out->bad |= all.bytes.bad;
	rowset_pack(&all, out);
	rowset_free(&all);
}
