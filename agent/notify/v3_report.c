/* agent/notify/v3_report.c: the BER of a Report (RFC 3412, 6; RFC 3414, 2.4; RFC 3416, 3), as far as v3_report.h needs it. */
#include "notify/v3_report.h"

#include <string.h>

#include "base/num.h"

enum { TAG_INTEGER = 0x02, TAG_OCTETS = 0x04, TAG_OID = 0x06, TAG_SEQUENCE = 0x30, TAG_REPORT = 0xa8 };

#define FLAG_PRIV	0x02		/* msgFlags */
#define MODEL_USM	3

struct ber { const uint8_t *p, *end; bool bad; };	/* bad stays, and all that is read after it is empty */

/* The contents of the next element, which must have this tag. */
static struct ber
get(struct ber *b, uint8_t tag)
{
	struct ber in = { .bad = true };
	size_t n, octets;

	b->bad = b->bad || b->end - b->p < 2 || b->p[0] != tag;
	if (b->bad)
		return in;
	n = b->p[1];
	b->p += 2;
	if (n >= 0x80) {
		octets = n & 0x7f;
		b->bad = octets == 0 || octets > 4 || (size_t)(b->end - b->p) < octets;
		for (n = 0; !b->bad && octets > 0; octets--)
			n = n << 8 | *b->p++;
	}
	b->bad = b->bad || n > (size_t)(b->end - b->p);
	if (b->bad)
		return in;
	in = (struct ber){ b->p, b->p + n, false };
	b->p += n;
	return in;
}

/* From 0 to INT32_MAX, as all integers here are. */
static int32_t
get_number(struct ber *b)
{
	struct ber in = get(b, TAG_INTEGER);
	uint64_t v = 0;

	if (in.bad || in.p == in.end || in.end - in.p > 4 || (*in.p & 0x80) != 0) {
		b->bad = true;
		return 0;
	}
	while (in.p < in.end)
		v = v << 8 | *in.p++;
	return (int32_t)v;
}

/* usmStats.N.0; 0: another object, or none. */
static uint32_t
get_counter(struct ber *pdu)
{
	static const uint8_t usm_stats[] = { 0x2b, 6, 1, 6, 3, 15, 1, 1 };
	struct ber list, first, name;

	get(pdu, TAG_INTEGER);		/* request-id: the library's, 0 or 2147483647 where it could not be read */
	get_number(pdu);
	get_number(pdu);
	list = get(pdu, TAG_SEQUENCE);
	first = get(&list, TAG_SEQUENCE);
	name = get(&first, TAG_OID);
	if (name.bad || (size_t)(name.end - name.p) != sizeof usm_stats + 2 || memcmp(name.p, usm_stats, sizeof usm_stats) != 0 ||
	    name.p[sizeof usm_stats] > 0x7f || name.end[-1] != 0)
		return 0;
	return name.p[sizeof usm_stats];
}

bool
v3_report_parse(const uint8_t *p, size_t n, struct v3_report *out)
{
	struct ber all = { p, p + n, false }, message = get(&all, TAG_SEQUENCE), header, flags, parameters, usm, engine, scoped, pdu;
	struct v3_report r;

	if (get_number(&message) != 3)
		return false;
	header = get(&message, TAG_SEQUENCE);
	r.msg_id = get_number(&header);
	get_number(&header);			/* msgMaxSize */
	flags = get(&header, TAG_OCTETS);
	if (flags.bad || flags.end - flags.p != 1 || (*flags.p & FLAG_PRIV) != 0 || get_number(&header) != MODEL_USM)
		return false;
	parameters = get(&message, TAG_OCTETS);
	usm = get(&parameters, TAG_SEQUENCE);
	engine = get(&usm, TAG_OCTETS);
	scoped = get(&message, TAG_SEQUENCE);
	get(&scoped, TAG_OCTETS);		/* contextEngineID, contextName */
	get(&scoped, TAG_OCTETS);
	pdu = get(&scoped, TAG_REPORT);
	r.counter = get_counter(&pdu);
	if (header.bad || engine.bad || pdu.bad || r.counter == 0 || all.p != all.end || engine.end - engine.p < 5 || engine.end - engine.p > 32)
		return false;
	r.engine_id = engine.p;
	r.engine_id_len = (size_t)(engine.end - engine.p);
	*out = r;
	return true;
}
