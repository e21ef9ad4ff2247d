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

static void
list_is_read(const uint8_t *own, size_t size, const struct message_look *l)
{
	struct message_reader r = { .p = l->varbinds, .end = l->end };
	struct varbind v;
	size_t n = 0;

	for (; message_next(&r, &v); n++)
		check(own, size, &v);
	assert(n <= size / 4 && r.p == r.end);
}

static void
within(const uint8_t *own, size_t size, const uint8_t *p, size_t n, size_t max)
{
	assert(p >= own && n <= max && p + n <= own + size);
}

/* Of v3 what is encrypted may come out as anything: it is read as if it were plain. */
static void
v3_is_read(const uint8_t *own, size_t size, struct message_look *l)
{
	const struct message_security *m = &l->security;
	struct message_scope s;

	within(own, size, m->engine, m->n_engine, ENGINE_ID_MAX);
	within(own, size, m->user, m->n_user, 32);
	within(own, size, m->digest, m->n_digest, DIGEST_MAX);
	within(own, size, m->salt, m->n_salt, 8);
	assert(l->id >= 0 && m->boots >= 0 && m->time >= 0 && l->data > own && l->data + l->n_data == own + size);
	if (!message_look_scoped(l->data, l->n_data, &s, l))
		return;
	within(own, size, s.engine, s.n_engine, size);
	within(own, size, s.context, s.n_context, size);
	list_is_read(own, size, l);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *own = malloc(size + 1);	/* of its own: ASan sees a look past its end, whatever the driver's buffer is */
	struct message_look l;

	assert(own != NULL);
	memcpy(own, data, size);
	if (message_look(own, size, &l)) {
		if (l.version == MESSAGE_V3)
			v3_is_read(own, size, &l);
		else
			list_is_read(own, size, &l);
	}
	free(own);
	return 0;
}
