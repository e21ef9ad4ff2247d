/* tests/fuzz/fuzz_snmp_message.c: any datagram as an answer: what is borrowed lies within it, and reading it ends. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "poller/snmp_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check(const uint8_t *own, size_t size, const struct varbind *v)
{
	assert(v->type == 0xff || (v->oid != NULL && v->oid_len >= 2 && v->oid_len <= OID_MAX));
	assert(v->n_octets == 0 || (v->octets >= own && v->octets + v->n_octets <= own + size));
	assert(v->value_oid_len <= OID_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *own = malloc(size + 1);	/* of its own: ASan sees a look past its end, whatever the driver's buffer is */
	struct message_reader r;
	struct message_look l;
	struct varbind v;
	size_t n = 0;

	assert(own != NULL);
	memcpy(own, data, size);
	if (message_look(own, size, &l) && l.varbinds != NULL) {
		r.p = l.varbinds;
		r.end = l.end;
		for (; message_next(&r, &v); n++)
			check(own, size, &v);
		assert(n <= size / 4 && r.p == r.end);
	} else if (l.engine != NULL) {
		assert(l.engine + l.n_engine <= own + size);
	}
	free(own);
	return 0;
}
