/* tests/sim/ber.h: the few BER types that SNMP v1 and v2c use. Reading is bounded by the datagram and has a sticky error;
 * writing is bounded by the caller's array. */
#ifndef CAMPUS_BER_H
#define CAMPUS_BER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OID_MAX		128		/* sub-identifiers, RFC 3416 section 4.1 */
#define OCTETS_MAX	128		/* of one value of ours */

enum {
	BER_INTEGER = 0x02, BER_OCTETS = 0x04, BER_NULL = 0x05, BER_OID = 0x06, BER_SEQUENCE = 0x30,
	BER_IPADDRESS = 0x40, BER_GAUGE = 0x42, BER_TICKS = 0x43,
	BER_NO_OBJECT = 0x80, BER_NO_INSTANCE = 0x81, BER_END_OF_VIEW = 0x82,
};

struct oid {
	size_t		n;
	uint32_t	s[OID_MAX];
};

struct value {
	uint8_t		tag;
	uint32_t	num;			/* INTEGER (never negative here), Gauge32, TimeTicks */
	size_t		len;
	uint8_t		octets[OCTETS_MAX];	/* OCTET STRING, IpAddress */
	struct oid	oid;			/* OBJECT IDENTIFIER; set only then */
};

struct ber_in {
	const uint8_t	*p, *end;
	bool		 bad;
};

/* The content of the next element, which must have this tag (0: any); the reader moves past it. */
struct ber_in	ber_get(struct ber_in *in, uint8_t tag);
uint8_t		ber_peek(const struct ber_in *in);	/* its tag; 0 at the end */
int32_t		ber_get_int(struct ber_in *in);
void		ber_get_oid(struct ber_in *in, struct oid *out);

struct ber_out {
	uint8_t	*p;
	size_t	 n, cap;
	bool	 full;			/* something did not fit; nothing of it was written */
};

void	ber_put(struct ber_out *o, uint8_t tag, const void *content, size_t n);
void	ber_put_int(struct ber_out *o, int32_t v);
void	ber_put_oid(struct ber_out *o, const struct oid *oid);
/* SEQUENCE { name, value }, whole or not at all. False: it does not fit. */
bool	ber_put_varbind(struct ber_out *o, const struct oid *name, const struct value *v);

/* <0, 0, >0, in the order of GETNEXT. */
int	oid_cmp(const uint32_t *a, size_t na, const uint32_t *b, size_t nb);
/* Dotted decimal, ours only: asserts that it is one. */
void	oid_of(const char *text, struct oid *out);
#endif
