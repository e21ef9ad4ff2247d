/* agent/base/text.c: from what a device sent to text that is safe to store, log and show. */
#include "base/text.h"

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define ELLIPSIS "\xe2\x80\xa6"		/* U+2026 */
#define ELLIPSIS_LEN 3

/* One UTF-8 character at p (RFC 3629: no overlong forms, no surrogates). Its length in octets, 0: not UTF-8. */
static size_t
utf8_get(const uint8_t *p, size_t n, uint32_t *c)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : p[0] >= 0xe0 && p[0] < 0xf0 ? 3 : p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : 0;

	if (len == 0 || len > n)
		return 0;
	if (len == 1) {
		*c = p[0];
		return 1;
	}
	*c = p[0] & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (p[i] & 0x3f);
	}
	if (*c < least[len] || *c > 0x10ffff || (*c >= 0xd800 && *c <= 0xdfff))
		return 0;
	return len;
}

static size_t
utf8_put(uint8_t *out, uint32_t c)
{
	size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const uint8_t mark[] = { 0, 0, 0xc0, 0xe0, 0xf0 };

	for (size_t i = len - 1; i > 0; i--, c >>= 6)
		out[i] = (uint8_t)(0x80 | (c & 0x3f));
	out[0] = (uint8_t)(mark[len] | c);
	return len;
}

/* How many of the octets are UTF-8: all of them, or all but a character at the end that was cut (by the 255 octets of a protocol, say),
 * if the text has shown before that it is UTF-8. 0: it is not. */
static size_t
utf8_span(const uint8_t *p, size_t n)
{
	bool shown = false;

	for (size_t i = 0; i < n;) {
		uint32_t c;
		size_t len = utf8_get(p + i, n - i, &c), k = i + 1;

		if (len == 0) {
			while (k < n && (p[k] & 0xc0) == 0x80)
				k++;
			return shown && k == n && p[i] >= 0xc2 && p[i] < 0xf5 && k - i < (p[i] < 0xe0 ? 2u : p[i] < 0xf0 ? 3u : 4u) ? i : 0;
		}
		shown |= len > 1;
		i += len;
	}
	return n;
}

static bool
is_blank(uint32_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xa0 || (c >= 0x2000 && c <= 0x200a) ||
	    c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

/* Characters that show nothing or turn the text around: they only serve to deceive in a table or a log. */
static bool
is_invisible(uint32_t c)
{
	static const struct { uint32_t from, to; } ranges[] = {
		{ 0x0000, 0x001f }, { 0x007f, 0x009f },		/* C0, DEL, C1 */
		{ 0x00ad, 0x00ad }, { 0x034f, 0x034f }, { 0x061c, 0x061c }, { 0x115f, 0x1160 }, { 0x17b4, 0x17b5 }, { 0x180b, 0x180f },
		{ 0x200b, 0x200f }, { 0x202a, 0x202e }, { 0x2060, 0x206f }, { 0x2800, 0x2800 }, { 0x3164, 0x3164 },
		{ 0xfdd0, 0xfdef }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 }, { 0xfff9, 0xfffb },
		{ 0xe0000, 0xe0fff },				/* tags, variation selectors */
	};

	if ((c & 0xfffe) == 0xfffe)
		return true;		/* no characters at all */
	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++)
		if (c >= ranges[i].from && c <= ranges[i].to)
			return true;
	return false;
}

/* Removes whole characters from the end of out[0..len) until an ellipsis fits in size - 1 octets, and adds it. */
static size_t
end_with_ellipsis(char *out, size_t len, size_t size)
{
	if (size <= ELLIPSIS_LEN + 1) {
		out[0] = '\0';
		return 0;
	}
	while (len > 0 && (len + ELLIPSIS_LEN > size - 1 || ((uint8_t)out[len] & 0xc0) == 0x80))
		len--;
	memcpy(out + len, ELLIPSIS, ELLIPSIS_LEN + 1);
	return len + ELLIPSIS_LEN;
}

/* Visible ASCII with single blanks inside: almost all text there is, and it stays as it came. */
static bool
is_clean(const uint8_t *p, size_t n)
{
	uint8_t last = ' ';

	for (size_t i = 0; i < n; last = p[i++])
		if (p[i] < ' ' || p[i] > '~' || (p[i] == ' ' && last == ' '))
			return false;
	return last != ' ';
}

size_t
text_clean(char *out, size_t size, const void *octets, size_t n)
{
	const uint8_t *p = octets;
	size_t len = 0, span;
	bool utf8, gap = false;

	assert(size > 0);
	if (n > 0 && n < size && is_clean(p, n)) {
		memcpy(out, p, n);
		out[n] = '\0';
		return n;
	}
	span = utf8_span(p, n);
	utf8 = span > 0;
	if (utf8)
		n = span;
	for (size_t i = 0; i < n;) {
		uint32_t c = p[i];
		uint8_t one[4];
		size_t step = utf8 ? utf8_get(p + i, n - i, &c) : 1, need;

		i += step;
		if (is_blank(c)) {
			gap = len > 0;
			continue;
		}
		if (is_invisible(c))
			continue;
		need = utf8_put(one, c);
		if (len + need + gap > size - 1) {
			out[len] = '\0';
			return end_with_ellipsis(out, len, size);
		}
		if (gap)
			out[len++] = ' ';
		gap = false;
		memcpy(out + len, one, need);
		len += need;
	}
	out[len] = '\0';
	return len;
}

size_t
text_cut(char *out, size_t size, const char *s)
{
	size_t n = strlen(s);

	assert(size > 0);
	if (n < size) {
		memcpy(out, s, n + 1);
		return n;
	}
	memcpy(out, s, size - 1);
	out[size - 1] = s[size - 1];	/* only looked at to find where a character starts */
	n = end_with_ellipsis(out, size - 1, size);
	return n;
}

/* Half characters go: "%.60s" cuts octets. */
static void
characters_keep(char *s)
{
	size_t left = strlen(s), kept = 0, len;
	uint32_t c;

	for (const char *p = s; left > 0; p += len, left -= len) {
		if ((len = utf8_get((const uint8_t *)p, left, &c)) > 0) {
			memmove(s + kept, p, len);
			kept += len;
		} else {
			len = 1;
		}
	}
	s[kept] = '\0';
}

size_t
text_printf(char *out, size_t size, const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof line, fmt, ap);
	va_end(ap);
	characters_keep(line);
	return text_cut(out, size, line);
}

size_t
text_hex(char *out, size_t size, const void *octets, size_t n)
{
	static const char digit[] = "0123456789abcdef";
	const uint8_t *p = octets;
	size_t len = 0;

	assert(size > 0);
	for (size_t i = 0; i < n && len + 2 < size; i++) {
		out[len++] = digit[p[i] >> 4];
		out[len++] = digit[p[i] & 15];
	}
	out[len] = '\0';
	return len;
}
