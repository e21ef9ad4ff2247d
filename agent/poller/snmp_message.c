/* agent/poller/snmp_message.c: see snmp_message.h. Nothing here trusts a length: each is held against what is left. */
#include "poller/snmp_message.h"

#include <assert.h>
#include <string.h>

enum { TAG_INTEGER = 0x02, TAG_OCTETS = 0x04, TAG_NULL = 0x05, TAG_OID = 0x06, TAG_SEQUENCE = 0x30 };

/* ---- writing: backwards, as lengths come first */

struct writer { uint8_t *start, *p; bool full; };

static void
put(struct writer *w, const void *p, size_t n)
{
	if (w->full || (size_t)(w->p - w->start) < n) {
		w->full = true;
		return;
	}
	w->p -= n;
	memcpy(w->p, p, n);
}

static void
put_octet(struct writer *w, uint8_t v)
{
	if (w->p == w->start) {
		w->full = true;
		return;
	}
	*--w->p = v;
}

/* Before what was written since `end`. */
static void
put_head(struct writer *w, uint8_t tag, const uint8_t *end)
{
	size_t n = (size_t)(end - w->p);

	put_octet(w, (uint8_t)n);
	if (n > 255) {
		put_octet(w, (uint8_t)(n >> 8));
		put_octet(w, 0x82);
	} else if (n > 127) {
		put_octet(w, 0x81);
	}
	put_octet(w, tag);
	w->full = w->full || n > 65535;
}

static void
put_int(struct writer *w, int32_t v)
{
	const uint8_t *end = w->p;
	int32_t rest = v;

	do {
		put_octet(w, (uint8_t)rest);
		v = rest;
		rest >>= 8;
	} while (rest != ((int8_t)(uint8_t)v < 0 ? -1 : 0));
	put_head(w, TAG_INTEGER, end);
}

static void
put_number(struct writer *w, uint32_t v)
{
	put_octet(w, v & 0x7f);
	while ((v >>= 7) != 0)
		put_octet(w, 0x80 | (v & 0x7f));
}

static void
put_oid(struct writer *w, const struct message_oid *o)
{
	const uint8_t *end = w->p;

	if (o->n < 2 || o->n > OID_MAX || o->v[0] > 2) {
		w->full = true;
		return;
	}
	for (size_t i = o->n; i-- > 2;)
		put_number(w, o->v[i]);
	put_number(w, o->v[0] * 40 + o->v[1]);
	put_head(w, TAG_OID, end);
}

uint8_t *
message_write(const struct message_question *q, uint8_t *buf, size_t size)
{
	struct writer w = { buf, buf + size, false };
	const uint8_t *end = w.p;

	assert(q->community != NULL && q->id > 0 && (q->version == MESSAGE_V1 || q->version == MESSAGE_V2C));
	assert(q->pdu == PDU_GET || q->pdu == PDU_GETNEXT || (q->pdu == PDU_GETBULK && q->version == MESSAGE_V2C));	/* P9: there is no SET */
	for (size_t i = q->n; i-- > 0 && !w.full;) {
		const uint8_t *varbind = w.p;

		put(&w, "\x05", 2);		/* null, with its terminator as length */
		put_oid(&w, &q->oids[i]);
		put_head(&w, TAG_SEQUENCE, varbind);
	}
	put_head(&w, TAG_SEQUENCE, end);
	put_int(&w, q->pdu == PDU_GETBULK ? q->repetitions : 0);
	put_int(&w, 0);
	put_int(&w, q->id);
	put_head(&w, q->pdu, end);
	{
		const uint8_t *community = w.p;

		put(&w, q->community, strlen(q->community));
		put_head(&w, TAG_OCTETS, community);
	}
	put_int(&w, (int32_t)q->version);
	put_head(&w, TAG_SEQUENCE, end);
	return w.full ? NULL : w.p;
}

/* ---- reading */

/* A tag and a length that is not longer than what is left. */
static bool
head(const uint8_t **p, const uint8_t *end, uint8_t *tag, size_t *n)
{
	if (end - *p < 2)
		return false;
	*tag = *(*p)++;
	*n = *(*p)++;
	if (*n & 0x80) {
		unsigned octets = *n & 0x7f;

		if (octets == 0 || octets > 4 || (size_t)(end - *p) < octets)
			return false;
		for (*n = 0; octets > 0; octets--)
			*n = *n << 8 | *(*p)++;
	}
	return *n <= (size_t)(end - *p);
}

static bool
integer(const uint8_t **p, const uint8_t *end, long *out)
{
	uint8_t tag;
	size_t n;
	unsigned long v;

	if (!head(p, end, &tag, &n) || tag != TAG_INTEGER || n == 0 || n > 5)
		return false;
	v = (**p & 0x80) ? ~0ul : 0;
	for (; n > 0; n--)
		v = v << 8 | *(*p)++;
	*out = (long)v;
	return true;
}

/* msgAuthoritativeEngineID (RFC 3412 6, RFC 3414 2.4), as the library will read it: nothing in front of it is skipped by length. */
static void
look_at_engine(const uint8_t *p, const uint8_t *end, struct message_look *l)
{
	const uint8_t *head_end;
	uint8_t tag;
	size_t n;
	long v;

	if (!head(&p, end, &tag, &n) || tag != TAG_SEQUENCE)
		return;
	head_end = p + n;
	if (!integer(&p, head_end, &v) || !integer(&p, head_end, &v) || !head(&p, head_end, &tag, &n) || tag != TAG_OCTETS)
		return;
	p += n;
	if (!integer(&p, head_end, &v) || p != head_end || !head(&p, end, &tag, &n) || tag != TAG_OCTETS ||
	    !head(&p, end, &tag, &n) || tag != TAG_SEQUENCE || !head(&p, end, &tag, &n) || tag != TAG_OCTETS)
		return;
	l->engine = p;
	l->n_engine = n;
}

/* Each varbind is a name and a value, and nothing else stands between them or after. */
static bool
list_is_whole(const uint8_t *p, const uint8_t *end)
{
	uint8_t tag;
	size_t n;

	while (p < end) {
		const uint8_t *one_end;

		if (!head(&p, end, &tag, &n) || tag != TAG_SEQUENCE)
			return false;
		one_end = p + n;
		if (!head(&p, one_end, &tag, &n) || tag != TAG_OID)
			return false;
		p += n;
		if (!head(&p, one_end, &tag, &n) || p + n != one_end)
			return false;
		p = one_end;
	}
	return true;
}

/* What follows the id of a PDU. */
static bool
look_at_rest(const uint8_t *p, const uint8_t *end, struct message_look *l)
{
	uint8_t tag;
	size_t n;

	if (!integer(&p, end, &l->error) || !integer(&p, end, &l->error_index) || !head(&p, end, &tag, &n) || tag != TAG_SEQUENCE)
		return false;
	l->varbinds = p;
	l->end = p + n;
	return list_is_whole(p, l->end);
}

bool
message_look(const uint8_t *p, size_t size, struct message_look *l)
{
	const uint8_t *end = p + size;
	uint8_t tag;
	size_t n;

	*l = (struct message_look){ 0 };
	if (!head(&p, end, &tag, &n) || tag != TAG_SEQUENCE)
		return false;
	end = p + n;
	if (!integer(&p, end, &l->version))
		return false;
	if (l->version == MESSAGE_V3) {
		look_at_engine(p, end, l);
		return true;
	}
	if (!head(&p, end, &tag, &l->n_community) || tag != TAG_OCTETS)
		return false;
	l->community = p;
	p += l->n_community;
	if (!head(&p, end, &l->pdu, &n))
		return false;
	end = p + n;
	return integer(&p, end, &l->id) && look_at_rest(p, end, l);
}

/* false: more numbers than there may be, or one of more than 32 bits. */
static bool
oid_read(const uint8_t *p, const uint8_t *end, struct message_oid *o)
{
	size_t n = 1;			/* the first two are one on the wire */

	o->n = 0;
	while (p < end) {
		uint64_t v = 0;

		do {
			v = v << 7 | (*p & 0x7f);
			if (v > UINT32_MAX)
				return false;
		} while ((*p++ & 0x80) != 0 && p < end);
		if ((p[-1] & 0x80) != 0 || n == OID_MAX)
			return false;
		o->v[n++] = (uint32_t)v;
	}
	if (n == 1)
		return false;
	o->v[0] = o->v[1] < 40 ? 0 : o->v[1] < 80 ? 1 : 2;
	o->v[1] -= o->v[0] * 40;
	o->n = n;
	return true;
}

/* INTEGER: 32 bits with a sign. */
static bool
value_signed(const uint8_t *p, size_t n, int64_t *out)
{
	uint32_t v = n > 0 && (*p & 0x80) != 0 ? UINT32_MAX : 0;

	if (n == 0 || n > 4)
		return false;
	for (; n > 0; n--)
		v = v << 8 | *p++;
	*out = (int32_t)v;
	return true;
}

/* Up to `octets` without a sign; one more only when it is the leading zero. */
static bool
value_unsigned(const uint8_t *p, size_t n, size_t octets, int64_t *out)
{
	uint64_t v = 0;

	if (n == octets + 1 && *p == 0) {
		p++;
		n--;
	}
	if (n == 0 || n > octets)
		return false;
	for (; n > 0; n--)
		v = v << 8 | *p++;
	*out = v > INT64_MAX ? INT64_MAX : (int64_t)v;
	return true;
}

static bool
value_read(struct message_reader *r, const uint8_t *p, size_t n, struct varbind *out)
{
	switch (out->type) {
	case VB_INTEGER:
		return value_signed(p, n, &out->number);
	case VB_COUNTER: case VB_GAUGE: case VB_TIMETICKS:
		return value_unsigned(p, n, 4, &out->number);
	case VB_COUNTER64:
		return value_unsigned(p, n, 8, &out->number);
	case VB_IPADDRESS: case VB_OCTETS: case VB_OPAQUE:
		out->octets = p;
		out->n_octets = n;
		return out->type != VB_IPADDRESS || n == 4;
	case VB_OID:
		out->value_oid = r->value.v;
		if (n == 0) {			/* seen for 0.0 */
			r->value = (struct message_oid){ { 0, 0 }, 2 };
			out->value_oid_len = 2;
			return true;
		}
		if (!oid_read(p, p + n, &r->value))
			return false;
		out->value_oid_len = r->value.n;
		return true;
	default:
		return true;			/* exceptions, null, and what is to be refused */
	}
}

bool
message_next(struct message_reader *r, struct varbind *out)
{
	const uint8_t *value;
	uint8_t tag;
	size_t n, n_value;

	assert(r->p <= r->end);
	*out = (struct varbind){ 0 };
	if (!head(&r->p, r->end, &tag, &n) || !head(&r->p, r->end, &tag, &n))
		return false;			/* the end: the list is whole */
	value = r->p + n;
	if (!head(&value, r->end, &out->type, &n_value))
		return false;
	if (oid_read(r->p, r->p + n, &r->name)) {
		out->oid = r->name.v;
		out->oid_len = r->name.n;
		if (!value_read(r, value, n_value, out)) {
			out->type = VB_NULL;
			out->value_oid = NULL;
		}
	} else {
		out->type = 0xff;
	}
	r->p = value + n_value;
	return true;
}
