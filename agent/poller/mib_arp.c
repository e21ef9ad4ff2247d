/* agent/poller/mib_arp.c: IP-MIB, ipNetToMediaTable and ipNetToPhysicalTable. */
#include <stdlib.h>
#include <string.h>

#include "poller/tables_internal.h"

/* ifIndex, type, length, octets; ASA, Centec and others leave out the length. A scope of 4 octets may follow (ipv4z, ipv6z). */
static bool
physical_address(const struct group *g, struct ip *out)
{
	const uint32_t *p = g->idx + 2;
	size_t n;

	if (g->n_idx < 6)
		return false;
	n = g->n_idx - 2;
	if (p[0] == n - 1 && (n - 1 == 4 || n - 1 == 16))
		return ip_of_ids(p + 1, n - 1, out);
	if (p[0] == n - 1 && (n - 1 == 8 || n - 1 == 20))
		return ip_of_ids(p + 1, n - 5, out);
	return ip_of_ids(p, n, out);
}

static void
take(struct tables *t, const struct group *g, uint8_t table, unsigned col, const struct ip *ip)
{
	struct octets o;
	struct mac m;
	size_t n;
	const uint8_t *p = group_octets(t, g, col, &n);

	if (p == NULL || n == 0) {
		note_drop(t, "ARP: entry without a MAC");
		return;
	}
	o = (struct octets){ (uint8_t *)p, n };		/* only read */
	if (!octets_mac(&o, &m)) {
		note_drop(t, "ARP: MAC that is not 6 octets");
		return;
	}
	/* Broadcast addresses stay: some switches list those of their subnets, and it does no harm. */
	if (mac_is_zero(m) || (mac_is_group(m) && mac_u64(m) != 0xffffffffffff)) {
		note_drop(t, "ARP: address that no station has");
		return;
	}
	arp_add(t, &(struct row_arp){ .ip = *ip, .mac = m, .if_index = g->idx[0], .table = table });
}

static int
arp_cmp(const void *pa, const void *pb)
{
	const struct row_arp *a = pa, *b = pb;
	int d;

	if ((d = memcmp(&a->ip, &b->ip, sizeof a->ip)) != 0)
		return d;
	if (a->if_index != b->if_index)
		return a->if_index < b->if_index ? -1 : 1;
	return (int)a->table - (int)b->table;
}

void
mib_arp_join(struct tables *t)
{
	size_t out = 1;
	struct group g = group_start(t, TAB_MEDIA);
	struct ip ip;

	while (group_next(t, TAB_MEDIA, &g))
		if (g.n_idx == 5 && ip_of_ids(g.idx + 1, 4, &ip))
			take(t, &g, TABLE_MEDIA, 2, &ip);
		else
			note_drop(t, "ipNetToMedia: malformed index");
	g = group_start(t, TAB_PHYS);
	while (group_next(t, TAB_PHYS, &g))
		if (physical_address(&g, &ip))
			take(t, &g, TABLE_PHYSICAL, 4, &ip);
		else
			note_drop(t, "ipNetToPhysical: malformed index");
	if (t->start[TAB_MEDIA] == t->start[TAB_MEDIA + 1] || t->start[TAB_PHYS] == t->start[TAB_PHYS + 1] || t->n_arp < 2)
		return;
	/* An address that both tables have counts once, as ipNetToMedia says it. */
	qsort(t->arp, t->n_arp, sizeof *t->arp, arp_cmp);
	for (size_t i = 1; i < t->n_arp; i++) {
		const struct row_arp *a = &t->arp[out - 1], *b = &t->arp[i];

		if (a->if_index != b->if_index || !ip_eq(&a->ip, &b->ip))
			t->arp[out++] = t->arp[i];
	}
	t->n_arp = out;
}
