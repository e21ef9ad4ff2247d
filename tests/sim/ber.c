/* tests/sim/ber.c: see ber.h. */
#include "ber.h"

#include <stdlib.h>
#include <string.h>

struct ber_in
ber_get(struct ber_in *m, uint8_t *tag)
{
	size_t len;

	*tag = 0;
	if (m->bad || m->end - m->p < 2)
		goto bad;
	*tag = *m->p++;
	len = *m->p++;
	if (len & 0x80) {
		size_t octets = len & 0x7f;

		if (octets == 0 || octets > 3 || (size_t)(m->end - m->p) < octets)
			goto bad;
		for (len = 0; octets > 0; octets--)
			len = len << 8 | *m->p++;
	}
	if ((size_t)(m->end - m->p) < len)
		goto bad;
	m->p += len;
	return (struct ber_in){ m->p - len, m->p, false };
bad:
	m->bad = true;
	return (struct ber_in){ m->p, m->p, true };
}

struct ber_in
ber_want(struct ber_in *m, uint8_t tag)
{
	uint8_t got;
	struct ber_in v = ber_get(m, &got);

	if (got != tag)
		m->bad = v.bad = true;
	return v;
}

int64_t
ber_number(struct ber_in *m)
{
	struct ber_in v = ber_want(m, BER_INTEGER);
	int64_t n;

	if (v.bad || v.end == v.p || v.end - v.p > 5) {
		m->bad = true;
		return 0;
	}
	n = *v.p & 0x80 ? -1 : 0;
	for (const uint8_t *p = v.p; p < v.end; p++)
		n = (int64_t)((uint64_t)n << 8 | *p);
	return n;
}

void
ber_put(struct ber_out *o, const void *p, size_t n)
{
	if (o->bad || (size_t)(o->p - o->start) < n) {
		o->bad = true;
		return;
	}
	o->p -= n;
	if (n > 0)
		memcpy(o->p, p, n);
}

void
ber_head(struct ber_out *o, uint8_t tag, size_t len)
{
	uint8_t h[5] = { tag, 0 };
	size_t n = 2;

	if (len < 128)
		h[1] = (uint8_t)len;
	else if (len < 256)
		h[1] = 0x81, h[2] = (uint8_t)len, n = 3;
	else
		h[1] = 0x82, h[2] = (uint8_t)(len >> 8), h[3] = (uint8_t)len, n = 4;
	if (len > 65535)
		o->bad = true;
	ber_put(o, h, n);
}

void
ber_wrap(struct ber_out *o, uint8_t tag, const uint8_t *end)
{
	ber_head(o, tag, (size_t)(end - o->p));
}

size_t
ber_number_code(int64_t v, uint8_t out[static 9])
{
	size_t n = 1;

	while (n < 8 && v >> (8 * n - 1) != 0 && v >> (8 * n - 1) != -1)
		n++;
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)(v >> 8 * (n - 1 - i));
	return n;
}

void
ber_put_number(struct ber_out *o, uint8_t tag, int64_t v)
{
	uint8_t code[9];
	size_t n = ber_number_code(v, code);

	ber_put(o, code, n);
	ber_head(o, tag, n);
}

void
ber_put_octets(struct ber_out *o, uint8_t tag, const void *p, size_t n)
{
	ber_put(o, p, n);
	ber_head(o, tag, n);
}

size_t
ber_arc(uint32_t arc, uint8_t out[static 5])
{
	size_t n = 1;

	for (uint32_t v = arc >> 7; v > 0; v >>= 7)
		n++;
	for (size_t i = 0; i < n; i++)
		out[i] = (uint8_t)((arc >> 7 * (n - 1 - i) & 0x7f) | (i + 1 < n ? 0x80 : 0));
	return n;
}

size_t
ber_oid_text(const char *text, uint8_t *out, size_t max)
{
	uint32_t first = 0;
	size_t n = 0, arcs = 0;

	text += *text == '.';
	for (; *text != '\0'; arcs++) {
		char *end;
		unsigned long v = strtoul(text, &end, 10);
		uint32_t arc = (uint32_t)v;

		if (end == text || v > UINT32_MAX || (*end != '.' && *end != '\0') || n + 5 > max)
			return 0;
		text = *end == '.' ? end + 1 : end;
		if (arcs == 0)
			first = arc;
		else
			n += ber_arc(arcs == 1 ? first * 40 + arc : arc, out + n);
	}
	return arcs < 2 ? 0 : n;
}

int
ber_oid_compare(const uint8_t *a, size_t na, const uint8_t *b, size_t nb)
{
	size_t n = na < nb ? na : nb, i = 0;
	uint64_t x = 0, y = 0;

	while (i < n && a[i] == b[i])
		i++;
	if (i == n)
		return (na > nb) - (na < nb);
	while (i > 0 && (a[i - 1] & 0x80) != 0)		/* to the start of the arc that differs */
		i--;
	for (size_t k = i; k < na; k++) {
		x = x << 7 | (a[k] & 0x7f);
		if ((a[k] & 0x80) == 0)
			break;
	}
	for (size_t k = i; k < nb; k++) {
		y = y << 7 | (b[k] & 0x7f);
		if ((b[k] & 0x80) == 0)
			break;
	}
	return x < y ? -1 : x > y;
}
