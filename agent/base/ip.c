/* agent/base/ip.c: addresses to and from text. */
#include "base/ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"

int
ip_parse(const char *text, struct ip *out)
{
	struct ip a = { 0 };

	if (inet_pton(AF_INET, text, a.b) == 1)
		a.family = 4;
	else if (inet_pton(AF_INET6, text, a.b) == 1)
		a.family = 6;
	else
		return -EINVAL;
	*out = a;
	return 0;
}

int
ip_port_parse(const char *text, uint16_t default_port, struct ip_port *out)
{
	char host[IP_TEXT];
	const char *colon = strrchr(text, ':'), *start = text, *end;
	struct ip_port a = { .port = default_port };
	uint64_t port;

	if (text[0] == '[') {
		if ((end = strchr(text, ']')) == NULL || (end[1] != '\0' && end[1] != ':'))
			return -EINVAL;
		start = text + 1;
		colon = end[1] == ':' ? end + 1 : NULL;
	} else if (colon != NULL && strchr(text, ':') == colon) {
		end = colon;
	} else {
		end = text + strlen(text);
		colon = NULL;
	}
	if ((size_t)(end - start) >= sizeof host)
		return -EINVAL;
	memcpy(host, start, (size_t)(end - start));
	host[end - start] = '\0';
	if (ip_parse(host, &a.ip) < 0 || (text[0] == '[' && a.ip.family != 6))
		return -EINVAL;
	if (colon != NULL) {
		if (num_parse(colon + 1, 1, 65535, &port) < 0)
			return -EINVAL;
		a.port = (uint16_t)port;
	}
	*out = a;
	return 0;
}

const char *
ip_text(const struct ip *ip, char out[static IP_TEXT])
{
	out[0] = '\0';
	if (ip->family != 0)
		inet_ntop(ip->family == 4 ? AF_INET : AF_INET6, ip->b, out, IP_TEXT);
	return out;
}

const char *
ip_port_text(const struct ip_port *a, uint16_t default_port, char out[static IP_TEXT])
{
	char host[IP_TEXT];

	ip_text(&a->ip, host);
	if (a->port == 0 || a->port == default_port)
		snprintf(out, IP_TEXT, "%s", host);
	else
		snprintf(out, IP_TEXT, a->ip.family == 6 ? "[%.50s]:%u" : "%.50s:%u", host, a->port);
	return out;
}

bool
ip_eq(const struct ip *a, const struct ip *b)
{
	return a->family == b->family && memcmp(a->b, b->b, sizeof a->b) == 0;
}

unsigned
ip_len(const struct ip *ip)
{
	return ip->family == 4 ? 4 : ip->family == 6 ? 16 : 0;
}

struct ip
ip_of(const void *octets, unsigned n)
{
	struct ip a = { 0 };

	if (n != 4 && n != 16)
		return a;
	a.family = n == 4 ? 4 : 6;
	memcpy(a.b, octets, n);
	return a;
}

bool
ip_is_special(const struct ip *ip)
{
	static const uint8_t zero[16], loop6[16] = { [15] = 1 };

	if (ip->family == 4)
		return ip->b[0] == 0 || ip->b[0] == 127 || ip->b[0] >= 224;
	if (ip->family == 6)
		return memcmp(ip->b, zero, 16) == 0 || memcmp(ip->b, loop6, 16) == 0 || ip->b[0] == 0xff;
	return true;
}
