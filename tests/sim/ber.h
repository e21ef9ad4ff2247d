/* tests/sim/ber.h: the Basic Encoding Rules as SNMP uses them (RFC 3417 section 8), strictly bounded. */
#ifndef CAMPUS_BER_H
#define CAMPUS_BER_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BER_INTEGER = 0x02, BER_OCTETS = 0x04, BER_NULL = 0x05, BER_OID = 0x06, BER_SEQUENCE = 0x30, BER_IPADDRESS = 0x40,
	BER_COUNTER = 0x41, BER_GAUGE = 0x42, BER_TIMETICKS = 0x43, BER_NO_OBJECT = 0x80, BER_NO_INSTANCE = 0x81, BER_END_OF_MIB = 0x82,
	BER_GET = 0xa0, BER_GETNEXT = 0xa1, BER_RESPONSE = 0xa2, BER_GETBULK = 0xa5, BER_TRAP2 = 0xa7, BER_REPORT = 0xa8 };

/* Reading: a get past the end sets `bad` and yields nothing. */
struct ber_in { const uint8_t *p, *end; bool bad; };
struct ber_in	ber_get(struct ber_in *m, uint8_t *tag);
struct ber_in	ber_want(struct ber_in *m, uint8_t tag);	/* another tag is bad */
int64_t		ber_number(struct ber_in *m);

/* Writing: from the end of a buffer backwards, as lengths come first. */
struct ber_out { uint8_t *start, *p; bool bad; };
void	ber_put(struct ber_out *o, const void *p, size_t n);
void	ber_head(struct ber_out *o, uint8_t tag, size_t len);
/* What was written since `end` becomes the content of this tag. */
void	ber_wrap(struct ber_out *o, uint8_t tag, const uint8_t *end);
void	ber_put_number(struct ber_out *o, uint8_t tag, int64_t v);
void	ber_put_octets(struct ber_out *o, uint8_t tag, const void *p, size_t n);
/* The shortest two's complement; returns the octets. */
size_t	ber_number_code(int64_t v, uint8_t out[static 9]);
/* The content of an OID without its first two arcs joined: appends one sub-identifier; returns the octets, 5 at most. */
size_t	ber_arc(uint32_t arc, uint8_t out[static 5]);
/* Dotted text as the content of an OID; 0: malformed or no room. */
size_t	ber_oid_text(const char *text, uint8_t *out, size_t max);
/* Order of the contents of two OIDs. */
int	ber_oid_compare(const uint8_t *a, size_t na, const uint8_t *b, size_t nb);
#endif
