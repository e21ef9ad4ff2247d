/* agent/base/buf.c: growing buffers and the big-endian codec. */
#include "base/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
buf_free(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ 0 };
}

void
buf_clear(struct buf *b)
{
	b->len = 0;
	b->bad = false;
}

void
buf_fit(struct buf *b)
{
	uint8_t *p = b->len > 0 && b->len < b->cap ? realloc(b->p, b->len) : NULL;

	if (p == NULL)
		return;			/* nothing to gain, or no other place: it stays as it is */
	b->p = p;
	b->cap = b->len;
}

static uint8_t *
buf_room(struct buf *b, size_t n)
{
	assert(b->len <= b->cap && (b->p != NULL || b->cap == 0));
	if (b->bad)
		return NULL;
	if (n > SIZE_MAX / 4) {		/* nothing of ours is; the sums below stay in range */
		b->bad = true;
		return NULL;
	}
	if (b->cap - b->len < n) {
		size_t cap = b->cap < 64 ? 64 : b->cap;
		uint8_t *p;

		while (cap - b->len < n)
			cap += cap / 2;
		if ((p = realloc(b->p, cap)) == NULL) {
			b->bad = true;
			return NULL;
		}
		b->p = p;
		b->cap = cap;
	}
	return b->p + b->len;
}

void
put_bytes(struct buf *b, const void *p, size_t n)
{
	uint8_t *to;

	if (n == 0 || (to = buf_room(b, n)) == NULL)
		return;
	memcpy(to, p, n);
	b->len += n;
}

static void
put_number(struct buf *b, uint64_t v, size_t octets)
{
	uint8_t *to = buf_room(b, octets);

	if (to == NULL)
		return;
	for (size_t i = 0; i < octets; i++)
		to[i] = (uint8_t)(v >> 8 * (octets - 1 - i));
	b->len += octets;
}

void
put_u8(struct buf *b, uint8_t v)
{
	put_number(b, v, 1);
}

void
put_u16(struct buf *b, uint16_t v)
{
	put_number(b, v, 2);
}

void
put_u32(struct buf *b, uint32_t v)
{
	put_number(b, v, 4);
}

void
put_u64(struct buf *b, uint64_t v)
{
	put_number(b, v, 8);
}

void
put_octets(struct buf *b, const void *p, size_t n)
{
	if (n > UINT16_MAX) {
		b->bad = true;
		return;
	}
	put_u16(b, (uint16_t)n);
	put_bytes(b, p, n);
}

void
put_text(struct buf *b, const char *s)
{
	put_octets(b, s, s != NULL ? strlen(s) : 0);
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	uint8_t *to;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0 || (to = buf_room(b, (size_t)n + 1)) == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf((char *)to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}

const char *
buf_text(struct buf *b)
{
	uint8_t *to = buf_room(b, 1);

	if (to == NULL)
		return NULL;
	*to = '\0';
	return (const char *)b->p;
}

struct msg_in
msg_in_of(const void *p, size_t n)
{
	static const uint8_t nothing[1];
	const uint8_t *start = n > 0 ? p : nothing;

	assert(n == 0 || p != NULL);
	return (struct msg_in){ start, start + n, false };
}

static const uint8_t *
get_run(struct msg_in *m, size_t n)
{
	const uint8_t *p = m->p;

	assert(m->p <= m->end);
	if (m->bad || (size_t)(m->end - m->p) < n) {
		m->bad = true;
		return NULL;
	}
	m->p += n;
	return p;
}

static uint64_t
get_number(struct msg_in *m, size_t octets)
{
	const uint8_t *p = get_run(m, octets);
	uint64_t v = 0;

	if (p == NULL)
		return 0;
	for (size_t i = 0; i < octets; i++)
		v = v << 8 | p[i];
	return v;
}

uint8_t
get_u8(struct msg_in *m)
{
	return (uint8_t)get_number(m, 1);
}

uint16_t
get_u16(struct msg_in *m)
{
	return (uint16_t)get_number(m, 2);
}

uint32_t
get_u32(struct msg_in *m)
{
	return (uint32_t)get_number(m, 4);
}

uint64_t
get_u64(struct msg_in *m)
{
	return get_number(m, 8);
}

void
get_bytes(struct msg_in *m, void *out, size_t n)
{
	const uint8_t *p = get_run(m, n);

	if (p != NULL)
		memcpy(out, p, n);
	else
		memset(out, 0, n);
}

const uint8_t *
get_octets(struct msg_in *m, size_t *n)
{
	size_t len = get_u16(m);
	const uint8_t *p = get_run(m, len);

	*n = p != NULL ? len : 0;
	return p;
}

char *
get_text(struct msg_in *m, size_t max)
{
	size_t n;
	const uint8_t *p = get_octets(m, &n);
	char *s;

	if (p == NULL)
		return NULL;
	if (n > max || memchr(p, '\0', n) != NULL || (s = malloc(n + 1)) == NULL) {
		m->bad = true;
		return NULL;
	}
	memcpy(s, p, n);
	s[n] = '\0';
	return s;
}

void
get_text_into(struct msg_in *m, char *out, size_t size)
{
	size_t n;
	const uint8_t *p = get_octets(m, &n);

	assert(size > 0);
	out[0] = '\0';
	if (p == NULL)
		return;
	if (n >= size || memchr(p, '\0', n) != NULL) {
		m->bad = true;
		return;
	}
	memcpy(out, p, n);
	out[n] = '\0';
}

bool
msg_in_done(const struct msg_in *m)
{
	return !m->bad && m->p == m->end;
}

size_t
msg_in_left(const struct msg_in *m)
{
	return (size_t)(m->end - m->p);
}
