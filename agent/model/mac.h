/* agent/model/mac.h: a 48-bit MAC address. */
#ifndef CAMTRAPD_MAC_H
#define CAMTRAPD_MAC_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mac { uint8_t b[6]; };		/* network order */

#define MAC_TEXT 18			/* octets for mac_text(), NUL included */

/* Any spelling: 44:19:b6:01:02:03, 44-19-B6-…, 4419.b601.0203, 4419b6-010203, 4419b6010203, 0:c:29:1:2:3: one, two, three or six
 * groups of one width, with : - . or a blank between them. 0, or -EINVAL with *out untouched. */
int		mac_parse(const char *text, struct mac *out);
/* The digits of a MAC or of a part of one, in any spelling, lower case: "4419b6". Four digits at least; 0, with out "": it is none. Groups
 * between dots have four digits ("4419.b6"): "10.20" is the beginning of an IP address. */
size_t		mac_digits(const char *text, char out[static 13]);
/* Lower case with colons, into `out`, which is returned. */
const char	*mac_text(struct mac m, char out[static MAC_TEXT]);
/* HSRP, VRRP, GLBP and the like: an address that several devices share and that moves. */
bool		mac_is_virtual_router(struct mac m);

/* Asked for every row of every table: inline. */

/* The 48 bits as a number, for keys and sorting. */
static inline uint64_t
mac_u64(struct mac m)
{
	return (uint64_t)m.b[0] << 40 | (uint64_t)m.b[1] << 32 | (uint64_t)m.b[2] << 24 | (uint64_t)m.b[3] << 16 |
	    (uint64_t)m.b[4] << 8 | m.b[5];
}

/* The lower 48 bits. */
static inline struct mac
mac_of_u64(uint64_t v)
{
	return (struct mac){ { (uint8_t)(v >> 40), (uint8_t)(v >> 32), (uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8),
		(uint8_t)v } };
}

static inline bool
mac_eq(struct mac a, struct mac b)
{
	return mac_u64(a) == mac_u64(b);
}

static inline bool
mac_is_zero(struct mac m)
{
	return mac_u64(m) == 0;
}

/* Multicast or broadcast: never a station. */
static inline bool
mac_is_group(struct mac m)
{
	return (m.b[0] & 1) != 0;
}

/* Locally administered: the registry says nothing about it. */
static inline bool
mac_is_local(struct mac m)
{
	return (m.b[0] & 2) != 0;
}
#endif
