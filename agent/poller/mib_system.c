/* agent/poller/mib_system.c: SNMPv2-MIB system group, and what BRIDGE-MIB says of the bridge itself. */
#include <string.h>

#include "poller/tables_internal.h"

#define AGEING_DEFAULT_S 300

void
mib_system_join(struct tables *t)
{
	struct group g = group_start(t, TAB_SYS);
	struct row *r = row_add(t, ROW_SYSTEM);
	int64_t v;

	if (r == NULL)
		return;
	memcpy(r->system.object_id, t->object_id, sizeof r->system.object_id);
	r->system.ageing_s = AGEING_DEFAULT_S;
	while (group_next(t, TAB_SYS, &g)) {
		if (g.n_idx != 1 || g.idx[0] != 0)
			continue;
		group_set(t, &r->system.descr, &g, 1);
		group_set(t, &r->system.name, &g, 5);
	}
	g = group_start(t, TAB_BRIDGE);
	while (group_next(t, TAB_BRIDGE, &g)) {
		size_t n;
		const uint8_t *p = group_octets(t, &g, 1, &n);

		if (g.n_idx != 1 || g.idx[0] != 0)
			continue;
		if (p != NULL && n == sizeof r->system.bridge.b)
			memcpy(r->system.bridge.b, p, n);
		if (group_int(&g, 2, &v) && v >= 10 && v <= 1000000)	/* RFC 4188, dot1dTpAgingTime */
			r->system.ageing_s = (uint32_t)v;
	}
}
