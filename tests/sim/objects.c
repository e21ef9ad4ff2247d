/* tests/sim/objects.c: see objects.h. */
#include "objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ber.h"

enum { VARBIND_MAX = 1024, INDEX_MAX = 48 };

static void *
grown(void *p, size_t bytes)
{
	if ((p = realloc(p, bytes)) == NULL) {
		perror("campus");
		exit(1);
	}
	return p;
}

const struct prefix *
prefix_of(struct prefix *p, const char *text)
{
	if (p->n == 0 && (p->n = ber_oid_text(text, p->ber, sizeof p->ber)) == 0) {
		fprintf(stderr, "campus: not an OID: %s\n", text);
		exit(1);
	}
	return p;
}

void
objects_clear(struct objects *o)
{
	o->n = o->n_bytes = 0;
	o->uptime_at = 0;
}

void
objects_free(struct objects *o)
{
	free(o->bytes);
	free(o->v);
	*o = (struct objects){ 0 };
}

static void
append(struct objects *o, const uint8_t *varbind, size_t n, size_t oid_at, size_t oid_n)
{
	while (o->n_bytes + n > o->cap_bytes) {
		o->cap_bytes = o->cap_bytes == 0 ? 4096 : o->cap_bytes + o->cap_bytes / 2;
		o->bytes = grown(o->bytes, o->cap_bytes);
	}
	if (o->n == o->cap) {
		o->cap = o->cap == 0 ? 128 : o->cap + o->cap / 2;
		o->v = grown(o->v, o->cap * sizeof *o->v);
	}
	o->v[o->n++] = (struct object){ (uint32_t)o->n_bytes, (uint16_t)n, (uint8_t)oid_at, (uint8_t)oid_n };
	memcpy(o->bytes + o->n_bytes, varbind, n);
	o->n_bytes += n;
}

void
object_put(struct objects *o, const struct prefix *column, const uint32_t *index, size_t n_index, uint8_t tag, const void *value, size_t n)
{
	uint8_t oid[sizeof column->ber + INDEX_MAX * 5], buf[VARBIND_MAX];
	struct ber_out w = { buf, buf + sizeof buf, false };
	size_t n_oid = column->n;

	memcpy(oid, column->ber, column->n);
	for (size_t i = 0; i < n_index && i < INDEX_MAX; i++)
		n_oid += ber_arc(index[i], oid + n_oid);
	ber_put_octets(&w, tag, value, n);
	ber_put_octets(&w, BER_OID, oid, n_oid);
	ber_wrap(&w, BER_SEQUENCE, buf + sizeof buf);
	if (w.bad || n_oid > 127) {		/* a name of 128 octets would have a longer head than oid_at says */
		fprintf(stderr, "campus: an object is too long: left out\n");
		return;
	}
	n = (size_t)(buf + sizeof buf - w.p);
	append(o, w.p, n, n - 2 < 128 ? 4 : n - 3 < 256 ? 5 : 6, n_oid);
}

void
object_number(struct objects *o, const struct prefix *column, const uint32_t *index, size_t n_index, uint8_t tag, int64_t v)
{
	uint8_t code[9];

	object_put(o, column, index, n_index, tag, code, ber_number_code(v, code));
}

void
object_text(struct objects *o, const struct prefix *column, const uint32_t *index, size_t n_index, const char *text)
{
	object_put(o, column, index, n_index, BER_OCTETS, text, strlen(text));
}

void
object_uptime(struct objects *o)
{
	static const uint8_t none[5];

	object_put(o, PREFIX("1.3.6.1.2.1.1.3.0"), NULL, 0, BER_TIMETICKS, none, sizeof none);
	o->uptime_at = (uint32_t)(o->n_bytes - sizeof none);
}

void
objects_uptime(struct objects *o, uint32_t hundredths)
{
	if (o->uptime_at == 0)
		return;
	for (int i = 0; i < 4; i++)
		o->bytes[o->uptime_at + 1 + (uint32_t)i] = (uint8_t)(hundredths >> 8 * (3 - i));
}

static const uint8_t *
name_of(const struct objects *o, const struct object *x)
{
	return o->bytes + x->at + x->oid_at;
}

static int
object_compare(const void *a, const void *b, void *arg)
{
	const struct object *x = a, *y = b;
	int c = ber_oid_compare(name_of(arg, x), x->oid_n, name_of(arg, y), y->oid_n);

	return c != 0 ? c : (x->at > y->at) - (x->at < y->at);
}

void
objects_sort(struct objects *o)
{
	size_t kept = 0;

	if (o->n > 0)
		qsort_r(o->v, o->n, sizeof *o->v, object_compare, o);
	for (size_t i = 0; i < o->n; i++)
		if (kept == 0 || ber_oid_compare(name_of(o, &o->v[kept - 1]), o->v[kept - 1].oid_n, name_of(o, &o->v[i]), o->v[i].oid_n) != 0)
			o->v[kept++] = o->v[i];
	o->n = kept;
}

const struct object *
objects_from(const struct objects *o, const uint8_t *oid, size_t n, int after)
{
	size_t low = 0, high = o->n;

	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = ber_oid_compare(name_of(o, &o->v[mid]), o->v[mid].oid_n, oid, n);

		if (c < 0 || (after && c == 0))
			low = mid + 1;
		else
			high = mid;
	}
	if (low == o->n || (!after && ber_oid_compare(name_of(o, &o->v[low]), o->v[low].oid_n, oid, n) != 0))
		return NULL;
	return &o->v[low];
}
