/* tests/fuzz/fuzz_tables.c: objects of a hostile switch. Each is: which step and column, how the index goes on, type, value; or
 * the VLAN context of what follows; or the end of a step. */
#include <stdlib.h>

#include "base/buf.h"
#include "cli/probe_json.h"
#include "poller/tables.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 0: end. */
static size_t
oid_get(struct msg_in *in, const char *column, uint32_t *out)
{
	size_t n = 0, more = get_u8(in) % 80;

	while (column != NULL && *column != '\0' && n < OID_MAX) {
		char *end;

		out[n++] = (uint32_t)strtoul(column, &end, 10);
		column = *end == '.' ? end + 1 : end;
	}
	while (more-- > 0 && n < OID_MAX && !in->bad) {
		uint8_t b = get_u8(in);

		out[n++] = b == 255 ? get_u32(in) : b;	/* mostly small, as in real indexes */
	}
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t types[] = { VB_INTEGER, VB_OCTETS, VB_OCTETS, VB_OID, VB_IPADDRESS, VB_GAUGE, VB_COUNTER64, VB_NULL };
	struct msg_in in = msg_in_of(data, size);
	struct tables *t = tables_new(64);
	json_t *j;

	if (t == NULL)
		return 0;
	while (!in.bad && !msg_in_done(&in)) {
		uint8_t step = get_u8(&in), how = get_u8(&in);
		const char *column = step < poll_n_steps ? poll_steps[step].columns[how & 7] : NULL;
		uint32_t oid[OID_MAX], value[OID_MAX];
		struct varbind v = { .oid = oid, .type = types[how >> 5] };

		if (step >= 0xe0 && step < 0xf0) {	/* another VLAN context, in any order */
			(void)tables_context(t, (uint16_t)((step & 15) << 8 | how) % (VLAN_MAX + 1));
			continue;
		}
		if (step >= 0xf0) {
			tables_step_done(t, how % (poll_n_steps + 1), step & 1, "fuzz");
			continue;
		}
		v.oid_len = oid_get(&in, column, oid);
		if (v.type == VB_OID) {
			v.value_oid = value;
			v.value_oid_len = oid_get(&in, "1.3.6.1.4.1", value);
		} else if (v.type == VB_OCTETS || v.type == VB_IPADDRESS)
			v.octets = get_octets(&in, &v.n_octets);
		else
			v.number = (how & 16) != 0 ? (int64_t)get_u64(&in) : get_u8(&in);
		if (!in.bad)
			tables_put(t, &v);
	}
	for (size_t i = 0; i < poll_n_steps; i++)
		if (poll_steps[i].wanted != NULL)
			(void)poll_steps[i].wanted(t);
	if (tables_join(t) == 0 && (j = probe_json(t, 0)) != NULL)
		json_decref(j);
	tables_free(t);
	return 0;
}
