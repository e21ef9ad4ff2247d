/* agent/poller/report.c: rows into rowsets, and these into messages of at most 60 KiB. */
#include "poller/report.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { PART_MAX = 60 << 10 };

int
report_rows(const struct tables *t, struct rowset *out)
{
	size_t n = tables_n_rows(t), at = 0;
	struct row_ref *refs = calloc(n + 1, sizeof *refs);
	size_t *start = calloc(n + 1, sizeof *start);
	struct buf b = { 0 };
	struct row row;
	int rc = -ENOMEM;

	*out = (struct rowset){ 0 };
	if (refs != NULL && start != NULL) {
		for (size_t i = 0; tables_next(t, &at, &row); i++) {
			start[i] = b.len;
			row_pack(&b, &row);
		}
		start[n] = b.len;
		for (size_t i = 0; i < n; i++)
			refs[i] = (struct row_ref){ b.p + start[i], start[i + 1] - start[i] };
		rc = b.bad ? -ENOMEM : rowset_build(out, refs, n);
	}
	if (rc == 0 && out->bytes.len > REPORT_ROWS_MAX) {
		rowset_free(out);
		rc = -EMSGSIZE;
	}
	buf_free(&b);
	free(refs);
	free(start);
	return rc;
}

/* From *at on, as many rows as one message takes. */
static int
part_put(struct chan *c, uint64_t key, const struct rowset *rows, size_t *at)
{
	size_t from = *at;
	struct buf b = { 0 };
	struct row_ref r;
	int rc;

	for (size_t next = from; rowset_next(rows, &next, &r) && (next - from <= PART_MAX || *at == from);)
		*at = next;
	put_u64(&b, key);
	put_bytes(&b, rows->bytes.p + from, *at - from);
	rc = b.bad ? -ENOMEM : chan_put(c, MSG_REPORT_ROWS, &b);
	buf_free(&b);
	return rc;
}

int
report_put(struct chan *c, const struct msg_report *m, const struct rowset *rows)
{
	struct buf b = { 0 };
	int rc;

	assert((rows != NULL) == (m->rows == REPORT_ROWS));
	msg_report_encode(&b, m);
	rc = b.bad ? -ENOMEM : chan_put(c, MSG_REPORT_BEGIN, &b);
	for (size_t at = 0; rc == 0 && rows != NULL && at < rows->bytes.len;)
		rc = part_put(c, m->key, rows, &at);
	buf_clear(&b);
	put_u64(&b, m->key);
	if (rc == 0)
		rc = b.bad ? -ENOMEM : chan_put(c, MSG_REPORT_END, &b);
	buf_free(&b);
	return rc;
}
