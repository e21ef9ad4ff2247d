/* tests/sim/agent.h: SNMP v1 and v2c over a sorted list of objects: enough to be polled, nothing of the product's own code. */
#ifndef CAMPUS_AGENT_H
#define CAMPUS_AGENT_H
#include <stddef.h>
#include <stdint.h>

#define OID_IDS 40

struct object {
	uint32_t	oid[OID_IDS];
	uint8_t		len;
	uint8_t		type;		/* ASN.1 tag */
	uint8_t		n;		/* octets of the value, as coded */
	uint8_t		value[72];
};

struct objects { struct object *v; size_t n, cap; };

/* Adds an object; `oid` is dotted text, `index` may be NULL. */
void	object_add(struct objects *o, const char *oid, const uint32_t *index, size_t n_index, uint8_t type, const void *value, size_t n);
void	object_number(struct objects *o, const char *oid, const uint32_t *index, size_t n_index, uint8_t type, int64_t v);
void	objects_sort(struct objects *o);

/* Answers one datagram. Returns the length of the answer in `out` (1,400 octets at most), 0: none is due. */
size_t	agent_answer(const struct objects *o, const char *community, const uint8_t *in, size_t n, uint8_t out[static 2048]);
#endif
