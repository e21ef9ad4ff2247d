/* agent/model/rowset.c: building, comparing and merging sorted sets of packed rows. */
#include "model/rowset.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "model/rows.h"

#define ROWSET_VERSION 1
#define ROWSET_HEADER 9			/* version, count, CRC */

void
rowset_free(struct rowset *s)
{
	buf_free(&s->bytes);
	s->count = 0;
}

static int
ref_compare(const struct row_ref *a, const struct row_ref *b)
{
	int c = memcmp(a->p, b->p, a->n < b->n ? a->n : b->n);

	return c != 0 ? c : (a->n > b->n) - (a->n < b->n);
}

static int
ref_compare_void(const void *a, const void *b)
{
	return ref_compare(a, b);
}

static void
rowset_add(struct rowset *s, struct row_ref r)
{
	assert(r.n > 0 && r.p[0] < ROW_NKINDS);
	put_octets(&s->bytes, r.p, r.n);
	s->count++;
}

static bool
in_order(const struct row_ref *rows, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (ref_compare(&rows[i - 1], &rows[i]) > 0)
			return false;
	return true;
}

int
rowset_build(struct rowset *out, struct row_ref *rows, size_t n)
{
	*out = (struct rowset){ 0 };
	if (!in_order(rows, n))
		qsort(rows, n, sizeof *rows, ref_compare_void);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || ref_compare(&rows[i - 1], &rows[i]) != 0)
			rowset_add(out, rows[i]);
	if (out->bytes.bad) {
		rowset_free(out);
		return -ENOMEM;
	}
	buf_fit(&out->bytes);
	return 0;
}

int
rowset_next(const struct rowset *s, size_t *at, struct row_ref *out)
{
	const uint8_t *p;

	if (*at >= s->bytes.len)
		return 0;
	p = s->bytes.p + *at;
	assert(s->bytes.len - *at > 2);
	out->n = (size_t)p[0] << 8 | p[1];
	out->p = p + 2;
	*at += 2 + out->n;
	return 1;
}

/* 0, or -EBADMSG. */
static int
rows_check(const uint8_t *p, size_t n, size_t *count)
{
	struct row_ref last = { NULL, 0 };

	*count = 0;
	for (size_t at = 0; at < n;) {
		struct row_ref r;

		if (n - at < 2)
			return -EBADMSG;
		r.n = (size_t)p[at] << 8 | p[at + 1];
		r.p = p + at + 2;
		if (r.n == 0 || r.n > n - at - 2 || r.p[0] >= ROW_NKINDS || (last.p != NULL && ref_compare(&last, &r) >= 0))
			return -EBADMSG;
		last = r;
		at += 2 + r.n;
		(*count)++;
	}
	return 0;
}

int
rowset_take(struct rowset *out, struct buf *bytes)
{
	size_t count;

	*out = (struct rowset){ 0 };
	if (bytes->bad || rows_check(bytes->p, bytes->len, &count) < 0)
		return -EBADMSG;
	*out = (struct rowset){ *bytes, count };
	*bytes = (struct buf){ 0 };
	buf_fit(&out->bytes);
	return 0;
}

int
rowset_load(struct rowset *out, const void *bytes, size_t n)
{
	struct buf copy = { 0 };
	int rc;

	*out = (struct rowset){ 0 };
	put_bytes(&copy, bytes, n);
	rc = copy.bad ? -ENOMEM : rowset_take(out, &copy);
	buf_free(&copy);
	return rc;
}

/* Goes through two sets at once. Returns <0: `a` only, >0: `b` only, 0: in both, and steps; 2 in *end when both are through. */
static int
pair_next(const struct rowset *sa, const struct rowset *sb, size_t *ia, size_t *ib, struct row_ref *a, struct row_ref *b, int *end)
{
	size_t na = *ia, nb = *ib;
	int have_a = rowset_next(sa, &na, a), have_b = rowset_next(sb, &nb, b);
	int c = have_a && have_b ? ref_compare(a, b) : have_a ? -1 : 1;

	*end = !have_a && !have_b;
	if (have_a && c <= 0)
		*ia = na;
	if (have_b && c >= 0)
		*ib = nb;
	return c;
}

void
rowset_diff(const struct rowset *before, const struct rowset *after, rowset_diff_fn *removed, rowset_diff_fn *added, void *arg)
{
	size_t ia = 0, ib = 0;

	for (;;) {
		struct row_ref a, b;
		int end, c = pair_next(before, after, &ia, &ib, &a, &b, &end);

		if (end)
			return;
		if (c < 0)
			removed(arg, a);
		else if (c > 0)
			added(arg, b);
	}
}

int
rowset_keep(struct rowset *now, const struct rowset *before, unsigned complete)
{
	struct rowset out = { 0 };
	size_t ia = 0, ib = 0;

	for (;;) {
		struct row_ref a, b;
		int end, c = pair_next(before, now, &ia, &ib, &a, &b, &end);

		if (end)
			break;
		if (c >= 0)
			rowset_add(&out, b);
		else if ((complete & ROW_BIT(a.p[0])) == 0)
			rowset_add(&out, a);
	}
	if (out.bytes.bad) {
		rowset_free(&out);
		return -ENOMEM;
	}
	buf_fit(&out.bytes);
	rowset_free(now);
	*now = out;
	return 0;
}

static uint32_t
crc32_of(const uint8_t *p, size_t n)
{
	return (uint32_t)crc32_z(0, p, n);	/* of no octets at NULL: 0, as of none anywhere */
}

void
rowset_pack(const struct rowset *s, struct buf *out)
{
	put_u8(out, ROWSET_VERSION);
	put_u32(out, (uint32_t)s->count);
	put_u32(out, crc32_of(s->bytes.p, s->bytes.len));
	put_bytes(out, s->bytes.p, s->bytes.len);
}

int
rowset_unpack(const void *blob, size_t n, struct rowset *out)
{
	struct msg_in m = msg_in_of(blob, n);
	uint8_t version = get_u8(&m);
	uint32_t count = get_u32(&m), crc = get_u32(&m);
	int rc;

	*out = (struct rowset){ 0 };
	if (m.bad || version != ROWSET_VERSION || crc != crc32_of(m.p, msg_in_left(&m)))
		return -EBADMSG;
	if ((rc = rowset_load(out, m.p, msg_in_left(&m))) < 0)
		return rc;
	if (out->count != count) {
		rowset_free(out);
		return -EBADMSG;
	}
	return 0;
}
