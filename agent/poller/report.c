/* agent/poller/report.c: rows into rowsets, differences into messages of at most 60 KiB. */
#include "poller/report.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { PART_MAX = 60 << 10 };

int
report_rows(const struct tables *t, const struct rowset *last, struct rowset *out)
{
	size_t n, k = 0, at = 0;
	const struct row *rows = tables_rows(t, &n);
	struct row_ref r, *refs = calloc(n + last->count + 1, sizeof *refs);
	size_t *start = calloc(n + 1, sizeof *start);
	struct buf b = { 0 };
	int rc = -ENOMEM;

	if (refs != NULL && start != NULL) {
		for (size_t i = 0; i < n; i++) {
			start[i] = b.len;
			row_pack(&b, &rows[i]);
		}
		start[n] = b.len;
		for (; k < n; k++)
			refs[k] = (struct row_ref){ b.p + start[k], start[k + 1] - start[k] };
		while (rowset_next(last, &at, &r))
			if (r.n > 0 && r.p[0] < ROW_NKINDS && (tables_complete(t) & ROW_BIT(r.p[0])) == 0)
				refs[k++] = r;
		rc = b.bad ? -ENOMEM : rowset_build(out, refs, k);
	}
	buf_free(&b);
	free(refs);
	free(start);
	return rc;
}

struct part { struct chan *c; uint64_t key; bool removed, pass; struct buf b; int rc; };

static void
part_send(struct part *p)
{
	if (p->b.len > 9 && p->rc == 0)
		p->rc = chan_put(p->c, MSG_REPORT_ROWS, &p->b);
	buf_clear(&p->b);
}

static void
part_row(struct part *p, bool removed, struct row_ref r)
{
	if (p->b.len > 0 && (p->b.len + r.n + 2 > PART_MAX || p->removed != removed))
		part_send(p);
	if (p->b.len == 0) {
		put_u64(&p->b, p->key);
		put_u8(&p->b, removed);
		p->removed = removed;
	}
	put_octets(&p->b, r.p, r.n);
}

static void
row_removed(void *arg, struct row_ref r)
{
	if (!((struct part *)arg)->pass)
		part_row(arg, true, r);
}

static void
row_added(void *arg, struct row_ref r)
{
	if (((struct part *)arg)->pass)
		part_row(arg, false, r);
}

int
report_put(struct chan *c, const struct msg_report *m, const struct rowset *before, const struct rowset *after)
{
	static const struct rowset none;
	struct part p = { .c = c, .key = m->key };
	struct buf b = { 0 };

	assert(before != NULL && after != NULL);
	msg_report_encode(&b, m);
	p.rc = chan_put(c, MSG_REPORT_BEGIN, &b);
	if (m->snapshot || before != after) {
		rowset_diff(m->snapshot ? &none : before, after, ROW_ALL, row_removed, row_added, &p);
		p.pass = true;
		part_send(&p);
		rowset_diff(m->snapshot ? &none : before, after, ROW_ALL, row_removed, row_added, &p);
		part_send(&p);
	}
	buf_clear(&b);
	put_u64(&b, m->key);
	if (p.rc == 0)
		p.rc = chan_put(c, MSG_REPORT_END, &b);
	buf_free(&b);
	buf_free(&p.b);
	return p.rc;
}
