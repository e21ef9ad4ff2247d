/* tests/sim/agent.c: BER of SNMP messages, strictly bounded; GET, GETNEXT, GETBULK over sorted objects. */
#include "agent.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX 1400
#define NAMES_MAX 64

/* ---- reading */

struct in { const uint8_t *p, *end; bool bad; };

static struct in
tlv(struct in *m, uint8_t *tag)
{
	struct in v = { m->p, m->p, false };
	size_t len;

	*tag = 0;
	if (m->bad || m->end - m->p < 2)
		goto bad;
	*tag = *m->p++;
	len = *m->p++;
	if (len & 0x80) {
		size_t octets = len & 0x7f;

		if (octets == 0 || octets > 2 || (size_t)(m->end - m->p) < octets)
			goto bad;
		for (len = 0; octets > 0; octets--)
			len = len << 8 | *m->p++;
	}
	if ((size_t)(m->end - m->p) < len)
		goto bad;
	v = (struct in){ m->p, m->p + len, false };
	m->p += len;
	return v;
bad:
	m->bad = true;
	v.bad = true;
	return v;
}

static int64_t
number(struct in *m)
{
	uint8_t tag;
	struct in v = tlv(m, &tag);
	int64_t n = 0;

	if (tag != 2 || v.end == v.p || v.end - v.p > 5)
		m->bad = true;
	for (const uint8_t *p = v.p; p < v.end; p++)
		n = n << 8 | *p;
	return n;
}

static size_t
oid_read(struct in v, uint32_t *out)
{
	size_t n = 0;

	if (v.p == v.end)
		return 0;
	out[n++] = *v.p / 40;
	out[n++] = *v.p++ % 40;
	while (v.p < v.end && n < OID_IDS) {
		uint32_t id = 0;

		while (v.p < v.end) {
			id = id << 7 | (*v.p & 0x7f);
			if ((*v.p++ & 0x80) == 0)
				break;
		}
		out[n++] = id;
	}
	return n;
}

/* ---- writing: from the end of the buffer backwards, as lengths come first */

struct out { uint8_t *start, *p; bool bad; };

static void
push(struct out *o, const void *p, size_t n)
{
	if ((size_t)(o->p - o->start) < n) {
		o->bad = true;
		return;
	}
	o->p -= n;
	memcpy(o->p, p, n);
}

static void
push_octet(struct out *o, uint8_t v)
{
	push(o, &v, 1);
}

static void
push_head(struct out *o, uint8_t tag, size_t len)
{
	if (len < 128)
		push_octet(o, (uint8_t)len);
	else if (len < 256)
		push_octet(o, (uint8_t)len), push_octet(o, 0x81);
	else
		push_octet(o, (uint8_t)len), push_octet(o, (uint8_t)(len >> 8)), push_octet(o, 0x82);
	push_octet(o, tag);
}

static void
push_oid(struct out *o, const uint32_t *oid, size_t n)
{
	const uint8_t *end = o->p;

	for (size_t i = n; i-- > 2;) {
		push_octet(o, oid[i] & 0x7f);
		for (uint32_t v = oid[i] >> 7; v > 0; v >>= 7)
			push_octet(o, 0x80 | (v & 0x7f));
	}
	push_octet(o, (uint8_t)(oid[0] * 40 + oid[1]));
	push_head(o, 6, (size_t)(end - o->p));
}

static size_t
number_code(int64_t v, uint8_t out[static 9])
{
	size_t n = 1;

	while (n < 8 && (v >> (8 * n - 1) != 0 && v >> (8 * n - 1) != -1))
		n++;
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(v >> 8 * (n - 1 - i));
	return n;
}

static void
push_number(struct out *o, int64_t v)
{
	uint8_t code[9];
	size_t n = number_code(v, code);

	push(o, code, n);
	push_head(o, 2, n);
}

/* ---- objects */

static size_t
oid_text(const char *text, uint32_t *out)
{
	size_t n = 0;

	while (*text != '\0' && n < OID_IDS) {
		char *end;

		out[n++] = (uint32_t)strtoul(text, &end, 10);
		text = *end == '.' ? end + 1 : end;
	}
	return n;
}

void
object_add(struct objects *o, const char *oid, const uint32_t *index, size_t n_index, uint8_t type, const void *value, size_t n)
{
	struct object *x;

	if (o->n == o->cap) {
		o->cap = o->cap == 0 ? 256 : o->cap * 2;
		if ((o->v = realloc(o->v, o->cap * sizeof *o->v)) == NULL)
			abort();
	}
	x = &o->v[o->n++];
	x->len = (uint8_t)oid_text(oid, x->oid);
	for (size_t i = 0; i < n_index && x->len < OID_IDS; i++)
		x->oid[x->len++] = index[i];
	x->type = type;
	x->n = (uint8_t)(n > sizeof x->value ? sizeof x->value : n);
	if (x->n > 0)
		memcpy(x->value, value, x->n);
}

void
object_number(struct objects *o, const char *oid, const uint32_t *index, size_t n_index, uint8_t type, int64_t v)
{
	uint8_t code[9];

	object_add(o, oid, index, n_index, type, code, number_code(v, code));
}

static int
oid_compare(const uint32_t *a, size_t na, const uint32_t *b, size_t nb)
{
	for (size_t i = 0; i < na && i < nb; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return (na > nb) - (na < nb);
}

static int
object_compare(const void *a, const void *b)
{
	const struct object *x = a, *y = b;

	return oid_compare(x->oid, x->len, y->oid, y->len);
}

void
objects_sort(struct objects *o)
{
	if (o->n > 0)
		qsort(o->v, o->n, sizeof *o->v, object_compare);
}

/* The first object at or (`after`) behind an OID; NULL: none. */
static const struct object *
object_from(const struct objects *o, const uint32_t *oid, size_t n, bool after)
{
	size_t low = 0, high = o->n;

	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = oid_compare(o->v[mid].oid, o->v[mid].len, oid, n);

		if (c < 0 || (after && c == 0))
			low = mid + 1;
		else
			high = mid;
	}
	if (low == o->n || (!after && oid_compare(o->v[low].oid, o->v[low].len, oid, n) != 0))
		return NULL;
	return &o->v[low];
}

/* ---- answering */

struct name { uint32_t oid[OID_IDS]; size_t n; };
struct reply { const struct object *x; struct name name; uint8_t exception; };	/* x NULL: the exception, or null in v1 */

struct ask {
	int64_t		version, id, a, b;
	uint8_t		pdu;
	struct name	names[NAMES_MAX];
	size_t		n;
};

static bool
ask_read(struct ask *q, const char *community, const uint8_t *in, size_t n)
{
	struct in all = { in, in + n, false }, m, c, pdu, list;
	uint8_t tag;

	m = tlv(&all, &tag);
	if (tag != 0x30)
		return false;
	q->version = number(&m);
	c = tlv(&m, &tag);
	if (m.bad || tag != 4 || (size_t)(c.end - c.p) != strlen(community) || memcmp(c.p, community, strlen(community)) != 0)
		return false;
	pdu = tlv(&m, &q->pdu);
	q->id = number(&pdu);
	q->a = number(&pdu);
	q->b = number(&pdu);
	list = tlv(&pdu, &tag);
	if (m.bad || pdu.bad || tag != 0x30 || (q->version != 0 && q->version != 1))
		return false;
	for (q->n = 0; list.p < list.end && q->n < NAMES_MAX; q->n++) {
		struct in vb = tlv(&list, &tag), name = tlv(&vb, &tag);

		if (list.bad || vb.bad || tag != 6 || (q->names[q->n].n = oid_read(name, q->names[q->n].oid)) < 2)
			return false;
	}
	return !list.bad;
}

static size_t
reply_octets(const struct reply *r)
{
	return (r->x != NULL ? r->x->n : 0) + r->name.n * 3 + 10;	/* never less than it takes */
}

static void
reply_of(struct reply *r, const struct objects *o, const struct name *at, bool next)
{
	r->x = object_from(o, at->oid, at->n, next);
	r->exception = next ? 0x82 : 0x80;
	r->name = *at;
	if (r->x != NULL) {
		memcpy(r->name.oid, r->x->oid, sizeof r->name.oid);
		r->name.n = r->x->len;
	}
}

static size_t
replies_make(const struct objects *o, const struct ask *q, struct reply *r, size_t max, size_t *error)
{
	bool bulk = q->pdu == 0xa5, next = q->pdu != 0xa0;
	size_t n = 0, room = ANSWER_MAX - 80, plain = bulk ? (size_t)(q->a < 0 ? 0 : q->a) : q->n;
	int64_t repetitions = bulk ? (q->b < 0 ? 0 : q->b) : 0;
	struct name at[NAMES_MAX];

	for (size_t i = 0; i < q->n && i < plain && n < max; i++, n++) {
		reply_of(&r[n], o, &q->names[i], next);
		if (r[n].x == NULL && q->version == 0 && *error == 0)
			*error = i + 1;
		room -= reply_octets(&r[n]) < room ? reply_octets(&r[n]) : room;
	}
	memcpy(at, q->names, sizeof at);
	for (; repetitions > 0 && plain < q->n; repetitions--) {
		bool more = false;

		for (size_t i = plain; i < q->n; i++, n++) {
			if (n == max)
				return n;
			reply_of(&r[n], o, &at[i], true);
			if (reply_octets(&r[n]) > room)
				return n;
			room -= reply_octets(&r[n]);
			at[i] = r[n].name;
			more |= r[n].x != NULL;
		}
		if (!more)
			break;
	}
	return n;
}

size_t
agent_answer(const struct objects *o, const char *community, const uint8_t *in, size_t n, uint8_t out[static 2048])
{
	static struct reply replies[512];
	struct out w = { out, out + 2048, false };
	const uint8_t *end = w.p, *list;
	struct ask q;
	size_t count, error = 0;

	if (!ask_read(&q, community, in, n) || (q.pdu != 0xa0 && q.pdu != 0xa1 && (q.pdu != 0xa5 || q.version == 0)))
		return 0;
	count = replies_make(o, &q, replies, 512, &error);
	for (size_t i = count; i-- > 0;) {
		const struct reply *r = &replies[i];
		const uint8_t *vb = w.p;

		if (r->x != NULL && error == 0) {
			push(&w, r->x->value, r->x->n);
			push_head(&w, r->x->type, r->x->n);
		} else {
			push_head(&w, error != 0 ? 5 : r->exception, 0);
		}
		push_oid(&w, error != 0 ? q.names[i].oid : r->name.oid, error != 0 ? q.names[i].n : r->name.n);
		push_head(&w, 0x30, (size_t)(vb - w.p));
	}
	list = w.p;
	push_head(&w, 0x30, (size_t)(end - list));
	push_number(&w, (int64_t)error);
	push_number(&w, error != 0 ? 2 : 0);
	push_number(&w, q.id);
	push_head(&w, 0xa2, (size_t)(end - w.p));
	push(&w, community, strlen(community));
	push_head(&w, 4, strlen(community));
	push_number(&w, q.version);
	push_head(&w, 0x30, (size_t)(end - w.p));
	if (w.bad)
		return 0;
	memmove(out, w.p, (size_t)(end - w.p));
	return (size_t)(end - w.p);
}
