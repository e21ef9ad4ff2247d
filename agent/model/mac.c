/* agent/model/mac.c: texts and kinds of MAC addresses. */
#include "model/mac.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

static int
hex_value(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

int
mac_parse(const char *text, struct mac *out)
{
	uint8_t digit[12];
	size_t n = 0, group = 0, separators = 0, width = 0;
	char separator = '\0';

	/* Groups are of one width. Those of a text with ':' or '-' are octets, whose first digit may be missing. */
	for (const char *p = text;; p++) {
		if (isxdigit((unsigned char)*p)) {
			if (n == nitems(digit))
				return -EINVAL;
			digit[n++] = (uint8_t)hex_value(*p);
			group++;
			continue;
		}
		if ((separator == ':' || separator == '-' || *p == ':' || *p == '-') && group == 1) {
			if (n == nitems(digit))
				return -EINVAL;
			digit[n] = digit[n - 1];
			digit[n - 1] = 0;
			n++;
			group++;
		}
		if (width == 0)
			width = group;
		if (group != width)
			return -EINVAL;
		if (*p == '\0')
			break;
		if (group == 0 || strchr(":-. ", *p) == NULL || (separator != '\0' && *p != separator))
			return -EINVAL;
		separator = *p;
		separators++;
		group = 0;
	}
	if (n != nitems(digit) || (separators != 0 && separators != 1 && separators != 2 && separators != 5))
		return -EINVAL;
	for (size_t i = 0; i < 6; i++)
		out->b[i] = (uint8_t)(digit[2 * i] << 4 | digit[2 * i + 1]);
	return 0;
}

const char *
mac_text(struct mac m, char out[static MAC_TEXT])
{
	snprintf(out, MAC_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", m.b[0], m.b[1], m.b[2], m.b[3], m.b[4], m.b[5]);
	return out;
}

bool
mac_is_virtual_router(struct mac m)
{
	static const struct { uint8_t b[6]; size_t n; } prefix[] = {
		{ { 0x00, 0x00, 0x0c, 0x07, 0xac }, 5 },	/* HSRP version 1 */
		{ { 0x00, 0x00, 0x5e, 0x00, 0x01 }, 5 },	/* VRRP for IPv4, RFC 5798 */
		{ { 0x00, 0x00, 0x5e, 0x00, 0x02 }, 5 },	/* VRRP for IPv6 */
		{ { 0x00, 0x07, 0xb4, 0x00 }, 4 },		/* GLBP */
	};

	if (m.b[0] != 0)
		return false;			/* all of them begin so */
	for (size_t i = 0; i < nitems(prefix); i++)
		if (memcmp(m.b, prefix[i].b, prefix[i].n) == 0)
			return true;
	/* HSRP version 2: 00:00:0c:9f:fx:xx (IPv4), 00:05:73:a0:0x:xx (IPv6) */
	return (mac_u64(m) & 0xfffffffff000) == 0x00000c9ff000 || (mac_u64(m) & 0xfffffffff000) == 0x000573a00000;
}

size_t
mac_digits(const char *text, char out[static 13])
{
	size_t n = 0, group = 0;

	out[0] = '\0';
	for (; *text != '\0'; text++) {
		if (*text == '.' && group != 4) {
			out[0] = '\0';
			return 0;
		}
		if (strchr(":-. ", *text) != NULL) {
			group = 0;
			continue;
		}
		if (n == 12 || !isxdigit((unsigned char)*text)) {
			out[0] = '\0';
			return 0;
		}
		out[n++] = (char)tolower((unsigned char)*text);
		group++;
	}
	out[n] = '\0';
	if (n >= 4)
		return n;
	out[0] = '\0';
	return 0;
}
