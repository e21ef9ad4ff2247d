/* agent/base/ip.h: an IPv4 or IPv6 address, with and without a port, and its texts. No socket header is needed to use it. */
#ifndef CAMTRAPD_IP_H
#define CAMTRAPD_IP_H
#include <stdbool.h>
#include <stdint.h>

/* family 0: none. The octets beyond the family's length are zero, so that memcmp() compares. */
struct ip {
	uint8_t	family;			/* 0, 4 or 6 */
	uint8_t	b[16];			/* network order; the first 4 for IPv4 */
};

struct ip_port {
	struct ip	ip;
	uint16_t	port;		/* host order; 0: not said */
};

#define IP_TEXT 64			/* octets for ip_text() and ip_port_text(), NUL included */

/* A literal address, no name, no zone, no port. 0, or -EINVAL with *out untouched. */
int		ip_parse(const char *text, struct ip *out);
/* "192.0.2.7", "192.0.2.7:161", "2001:db8::7", "[2001:db8::7]:161"; without a port: `default_port`. 0 or -EINVAL. */
int		ip_port_parse(const char *text, uint16_t default_port, struct ip_port *out);
/* Into `out`, which is returned; "" for none. */
const char	*ip_text(const struct ip *ip, char out[static IP_TEXT]);
/* With the port only if it differs from `default_port`. */
const char	*ip_port_text(const struct ip_port *a, uint16_t default_port, char out[static IP_TEXT]);
bool		ip_eq(const struct ip *a, const struct ip *b);
/* Octets of the address: 4, 16 or 0. */
unsigned	ip_len(const struct ip *ip);
/* From 4 or 16 octets; any other length gives none. */
struct ip	ip_of(const void *octets, unsigned n);
/* Loopback, unspecified, multicast: nothing that names a device. */
bool		ip_is_special(const struct ip *ip);
#endif
