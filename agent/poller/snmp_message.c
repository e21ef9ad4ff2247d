/* agent/poller/snmp_message.c: see snmp_message.h. Nothing here trusts a length: each is held against what is left. */
#include "poller/snmp_message.h"

#include <assert.h>
#include <string.h>

enum { TAG_INTEGER = 0x02, TAG_OCTETS = 0x04, TAG_NULL = 0x05, TAG_OID = 0x06, TAG_SEQUENCE = 0x30 };
enum { MODEL_USM = 3, SIZE_MAX_UDP = 65507 };	/* msgSecurityModel (RFC 3411 section 5); msgMaxSize: what UDP over IPv4 carries */

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

static void
put_octets(struct writer *w, const void *p, size_t n)
{
	const uint8_t *end = w->p;

	put(w, p, n);
	put_head(w, TAG_OCTETS, end);
}

static void
put_pdu(struct writer *w, const struct message_question *q)
{
	const uint8_t *end = w->p;

	assert(q->id > 0);
	assert(q->pdu == PDU_GET || q->pdu == PDU_GETNEXT || (q->pdu == PDU_GETBULK && q->version != MESSAGE_V1));	/* P9: there is no SET */
	for (size_t i = q->n; i-- > 0 && !w->full;) {
		const uint8_t *varbind = w->p;

		put(w, "\x05", 2);		/* null, with its terminator as length */
		put_oid(w, &q->oids[i]);
		put_head(w, TAG_SEQUENCE, varbind);
	}
	put_head(w, TAG_SEQUENCE, end);
	put_int(w, q->pdu == PDU_GETBULK ? q->repetitions : 0);
	put_int(w, 0);
	put_int(w, q->id);
	put_head(w, q->pdu, end);
}

uint8_t *
message_write(const struct message_question *q, uint8_t *buf, size_t size)
{
	struct writer w = { buf, buf + size, false };
	const uint8_t *end = w.p;

	assert(q->community != NULL && (q->version == MESSAGE_V1 || q->version == MESSAGE_V2C));
	put_pdu(&w, q);
	put_octets(&w, q->community, strlen(q->community));
	put_int(&w, (int32_t)q->version);
	put_head(&w, TAG_SEQUENCE, end);
	return w.full ? NULL : w.p;
}

uint8_t *
message_write_scoped(const struct message_question *q, const struct message_scope *s, uint8_t *buf, size_t size)
{
	struct writer w = { buf, buf + size, false };
	const uint8_t *end = w.p;

	assert(q->version == MESSAGE_V3);
	put_pdu(&w, q);
	put_octets(&w, s->context, s->n_context);
	put_octets(&w, s->engine, s->n_engine);
	put_head(&w, TAG_SEQUENCE, end);
	return w.full ? NULL : w.p;
}

uint8_t *
message_write_secured(const struct message_security *m, int32_t id, uint8_t *buf, uint8_t *data, const uint8_t *end, uint8_t **digest)
{
	static const uint8_t zeros[DIGEST_MAX];
	struct writer w = { buf, data, false };
	const uint8_t *part;

	assert(id > 0 && m->n_digest <= sizeof zeros && m->boots >= 0 && m->time >= 0);
	if (m->flags & MESSAGE_PRIV)
		put_head(&w, TAG_OCTETS, end);
	part = w.p;
	put_octets(&w, m->salt, m->n_salt);
	put(&w, zeros, m->n_digest);
	*digest = w.p;
	put_head(&w, TAG_OCTETS, w.p + m->n_digest);
	put_octets(&w, m->user, m->n_user);
	put_int(&w, m->time);
	put_int(&w, m->boots);
	put_octets(&w, m->engine, m->n_engine);
	put_head(&w, TAG_SEQUENCE, part);
	put_head(&w, TAG_OCTETS, part);
	part = w.p;
	put_int(&w, MODEL_USM);
	put_octets(&w, &m->flags, 1);
	put_int(&w, SIZE_MAX_UDP);
	put_int(&w, id);
	put_head(&w, TAG_SEQUENCE, part);
	put_int(&w, MESSAGE_V3);
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

/* 0..2147483647, as the integers of v3 are that are no versions. */
static bool
count(const uint8_t **p, const uint8_t *end, int32_t *out)
{
	long v;

	if (!integer(p, end, &v) || v < 0 || v > INT32_MAX)
		return false;
	*out = (int32_t)v;
	return true;
}

static bool
octets(const uint8_t **p, const uint8_t *end, size_t max, const uint8_t **out, size_t *n)
{
	uint8_t tag;

	if (!head(p, end, &tag, n) || tag != TAG_OCTETS || *n > max)
		return false;
	*out = *p;
	*p += *n;
	return true;
}

/* RFC 3412 section 6: msgGlobalData. */
static bool
look_at_header(const uint8_t **p, const uint8_t *end, struct message_look *l)
{
	const uint8_t *flags;
	int32_t id, size, model;
	uint8_t tag;
	size_t n;

	if (!head(p, end, &tag, &n) || tag != TAG_SEQUENCE)
		return false;
	end = *p + n;
	if (!count(p, end, &id) || !count(p, end, &size) || !octets(p, end, 1, &flags, &n) || n != 1 || !count(p, end, &model) ||
	    model != MODEL_USM || *p != end)
		return false;
	l->id = id;
	l->security.flags = *flags;
	return true;
}

/* RFC 3414 section 2.4: UsmSecurityParameters, in an OCTET STRING. */
static bool
look_at_security(const uint8_t **p, const uint8_t *end, struct message_security *m)
{
	enum { USER_MAX = 32, SALT_MAX = 8 };
	uint8_t tag;
	size_t n;

	if (!head(p, end, &tag, &n) || tag != TAG_OCTETS)
		return false;
	end = *p + n;
	return head(p, end, &tag, &n) && tag == TAG_SEQUENCE && *p + n == end && octets(p, end, ENGINE_ID_MAX, &m->engine, &m->n_engine) &&
	    count(p, end, &m->boots) && count(p, end, &m->time) && octets(p, end, USER_MAX, &m->user, &m->n_user) &&
	    octets(p, end, DIGEST_MAX, &m->digest, &m->n_digest) && octets(p, end, SALT_MAX, &m->salt, &m->n_salt) && *p == end;
}

/* `p`: behind the version. */
static bool
look_at_v3(const uint8_t *p, const uint8_t *end, struct message_look *l)
{
	uint8_t tag;
	size_t n;

	if (!look_at_header(&p, end, l) || !look_at_security(&p, end, &l->security))
		return false;
	l->data = p;
	if (!head(&p, end, &tag, &n) || p + n != end)
		return false;
	if (l->security.flags & MESSAGE_PRIV)
		l->data = p;
	l->n_data = (size_t)(end - l->data);
	return tag == (l->security.flags & MESSAGE_PRIV ? TAG_OCTETS : TAG_SEQUENCE);
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

static bool
look_at_pdu(const uint8_t *p, const uint8_t *end, struct message_look *l)
{
	uint8_t tag;
	size_t n;

	if (!head(&p, end, &l->pdu, &n))
		return false;
	end = p + n;
	if (!integer(&p, end, &l->request) || !integer(&p, end, &l->error) || !integer(&p, end, &l->error_index) || !head(&p, end, &tag, &n) || tag != TAG_SEQUENCE)
		return false;
	l->varbinds = p;
	l->end = p + n;
	return list_is_whole(p, l->end);
}

bool
message_look(const uint8_t *p, size_t size, struct message_look *l)
{
	const uint8_t *datagram_end = p + size, *end = datagram_end;
	uint8_t tag;
	size_t n;

	*l = (struct message_look){ 0 };
	if (!head(&p, end, &tag, &n) || tag != TAG_SEQUENCE)
		return false;
	end = p + n;
	if (!integer(&p, end, &l->version))
		return false;
	if (l->version == MESSAGE_V3)
		return end == datagram_end && look_at_v3(p, end, l);
	if (!head(&p, end, &tag, &l->n_community) || tag != TAG_OCTETS)
		return false;
	l->community = p;
	p += l->n_community;
	if (!look_at_pdu(p, end, l))
		return false;
	l->id = l->request;
	return true;
}

bool
message_look_scoped(const uint8_t *p, size_t size, struct message_scope *s, struct message_look *l)
{
	const uint8_t *end = p + size;
	uint8_t tag;
	size_t n;

	if (!head(&p, end, &tag, &n) || tag != TAG_SEQUENCE)
		return false;
	end = p + n;
	return octets(&p, end, SIZE_MAX, &s->engine, &s->n_engine) && octets(&p, end, SIZE_MAX, &s->context, &s->n_context) &&
	    look_at_pdu(p, end, l);
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
