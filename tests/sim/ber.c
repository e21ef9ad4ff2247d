/* tests/sim/ber.c: reads requests and writes replies in BER (X.690 as SNMP uses it: definite lengths, low tags). */
#include "ber.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct ber_in
ber_get(struct ber_in *in, uint8_t tag)
{
	struct ber_in content = { .bad = true };
	size_t len, n;

	if (in->bad || in->end - in->p < 2 || (tag != 0 && in->p[0] != tag))
		goto bad;
	len = in->p[1];
	in->p += 2;
	if (len >= 0x80) {
		/* Up to four octets of length; 0x80, the indefinite form, is not for SNMP. */
		n = len & 0x7f;
		if (n == 0 || n > 4 || (size_t)(in->end - in->p) < n)
			goto bad;
		for (len = 0; n > 0; n--)
			len = len << 8 | *in->p++;
	}
	if (len > (size_t)(in->end - in->p))
		goto bad;
	content = (struct ber_in){ .p = in->p, .end = in->p + len };
	in->p += len;
	return content;
bad:
	in->bad = true;
	return content;
}

uint8_t
ber_peek(const struct ber_in *in)
{
	return in->bad || in->p == in->end ? 0 : in->p[0];
}

int32_t
ber_get_int(struct ber_in *in)
{
	struct ber_in c = ber_get(in, BER_INTEGER);
	uint32_t v;

	if (in->bad || c.p == c.end || c.end - c.p > 4) {
		in->bad = true;
		return 0;
	}
	for (v = *c.p & 0x80 ? UINT32_MAX : 0; c.p < c.end; c.p++)
		v = v << 8 | *c.p;
	return (int32_t)v;
}

void
ber_get_oid(struct ber_in *in, struct oid *out)
{
	struct ber_in c = ber_get(in, BER_OID);

	out->n = 0;
	if (in->bad || c.p == c.end)
		goto bad;
	while (c.p < c.end) {
		uint64_t sub = 0;

		do {
			if (c.p == c.end || sub > UINT32_MAX >> 7)
				goto bad;
			sub = sub << 7 | (*c.p & 0x7f);
		} while (*c.p++ & 0x80);
		if (out->n == 0) {
			/* The first two share one sub-identifier. */
			out->s[0] = sub < 40 ? 0 : sub < 80 ? 1 : 2;
			out->s[1] = (uint32_t)sub - 40 * out->s[0];
			out->n = 2;
			continue;
		}
		if (out->n == OID_MAX)
			goto bad;
		out->s[out->n++] = (uint32_t)sub;
	}
	return;
bad:
	in->bad = true;
}

static size_t
header(uint8_t out[static 4], uint8_t tag, size_t len)
{
	size_t n = 0;

	assert(len <= UINT16_MAX);
	out[n++] = tag;
	if (len >= 0x100) {
		out[n++] = 0x82;
		out[n++] = (uint8_t)(len >> 8);
	} else if (len >= 0x80) {
		out[n++] = 0x81;
	}
	out[n++] = (uint8_t)len;
	return n;
}

void
ber_put(struct ber_out *o, uint8_t tag, const void *content, size_t n)
{
	uint8_t h[4];
	size_t hn = header(h, tag, n);

	if (o->full || hn + n > o->cap - o->n) {
		o->full = true;
		return;
	}
	memcpy(o->p + o->n, h, hn);
	if (n > 0)
		memcpy(o->p + o->n + hn, content, n);
	o->n += hn + n;
}

/* Shortest two's complement of a number of up to 33 bits. */
static void
put_number(struct ber_out *o, uint8_t tag, int64_t v)
{
	uint8_t b[5];
	size_t n = 5;

	for (size_t i = 0; i < 5; i++)
		b[i] = (uint8_t)((uint64_t)v >> (8 * (4 - i)));
	while (n > 1 && ((b[5 - n] == 0 && !(b[6 - n] & 0x80)) || (b[5 - n] == 0xff && b[6 - n] & 0x80)))
		n--;
	ber_put(o, tag, b + 5 - n, n);
}

void
ber_put_int(struct ber_out *o, int32_t v)
{
	put_number(o, BER_INTEGER, v);
}

void
ber_put_oid(struct ber_out *o, const struct oid *oid)
{
	uint8_t b[5 * OID_MAX];
	size_t n = 0;

	for (size_t i = 1; i < oid->n || i == 1; i++) {
		uint64_t sub = i < oid->n ? oid->s[i] : 0;
		int shift = 28;

		if (i == 1)
			sub += 40 * (uint64_t)(oid->n > 0 ? oid->s[0] : 0);
		while (shift > 0 && sub >> shift == 0)
			shift -= 7;
		for (; shift >= 0; shift -= 7)
			b[n++] = (uint8_t)((sub >> shift & 0x7f) | (shift > 0 ? 0x80 : 0));
	}
	ber_put(o, BER_OID, b, n);
}

bool
ber_put_varbind(struct ber_out *o, const struct oid *name, const struct value *v)
{
	uint8_t b[2 * 5 * OID_MAX + OCTETS_MAX + 16];
	struct ber_out vb = { .p = b, .cap = sizeof b };

	ber_put_oid(&vb, name);
	switch (v->tag) {
	case BER_INTEGER:
	case BER_GAUGE:
	case BER_TICKS:
		put_number(&vb, v->tag, v->num);
		break;
	case BER_OCTETS:
	case BER_IPADDRESS:
		ber_put(&vb, v->tag, v->octets, v->len);
		break;
	case BER_OID:
		ber_put_oid(&vb, &v->oid);
		break;
	default:
		ber_put(&vb, v->tag, NULL, 0);		/* NULL and the three exceptions */
	}
	assert(!vb.full);
	ber_put(o, BER_SEQUENCE, b, vb.n);
	return !o->full;
}

int
oid_cmp(const uint32_t *a, size_t na, const uint32_t *b, size_t nb)
{
	for (size_t i = 0; i < na && i < nb; i++)
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	return na < nb ? -1 : na > nb;
}

void
oid_of(const char *text, struct oid *out)
{
	char *end;

	for (out->n = 0;; text = end + 1) {
		assert(out->n < OID_MAX && *text >= '0' && *text <= '9');
		out->s[out->n++] = (uint32_t)strtoul(text, &end, 10);
		if (*end != '.')
			break;
	}
	assert(*end == '\0');
}
