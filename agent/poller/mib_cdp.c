/* agent/poller/mib_cdp.c: CISCO-CDP-MIB, cdpCacheTable. */
#include "poller/tables_internal.h"

void
mib_cdp_join(struct tables *t)
{
	struct group g = group_start(t, TAB_CDP);

	while (group_next(t, TAB_CDP, &g)) {
		struct row_neighbour *nb;
		struct row *r;
		const uint8_t *p;
		size_t n;
		int64_t v;

		if (g.n_idx != 2) {
			note_drop(t, "cdpCache: malformed index");
			continue;
		}
		if ((r = row_add(t, ROW_NEIGHBOUR)) == NULL)
			return;
		nb = &r->neighbour;
		nb->table = TABLE_CDP;
		nb->if_index = g.idx[0];
		nb->rem_index = g.idx[1];
		group_set(t, &nb->sys_desc, &g, 5);
		group_set_id(t, &nb->chassis, &g, 6, false, false);
		group_set(t, &nb->port, &g, 7);
		group_set(t, &nb->platform, &g, 8);
		if ((p = group_octets(t, &g, 4, &n)) != NULL && (n == 4 || n == 16)) {
			nb->mgmt[0] = ip_of(p, (unsigned)n);
			nb->n_mgmt = 1;
		} else if (p != NULL && n > 0)
			note_drop(t, "cdpCache: address that is neither IPv4 nor IPv6");
		if (group_int(&g, 9, &v))
			nb->cdp_caps = (uint32_t)v;
		else if ((p = group_octets(t, &g, 9, &n)) != NULL && n <= 4)
			for (size_t i = 0; i < n; i++)
				nb->cdp_caps = nb->cdp_caps << 8 | p[i];
	}
}
