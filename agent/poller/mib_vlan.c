/* agent/poller/mib_vlan.c: which VLANs a switch has that shows the tables of each in a context of its own. Known by what it answers,
 * never by its maker. */
#include <string.h>

#include "poller/tables_internal.h"

enum { STATE_OPERATIONAL = 1, TYPE_ETHERNET = 1, FDDI_FIRST = 1002, TRNET_LAST = 1005 };

/* Whoever lists VLANs here has its bridge tables per VLAN; the first that lists one counts. */
static const struct vlan_list {
	enum tab	 tab;
	const char	*rule;			/* with its evidence, for probe */
} vlan_lists[] = {
	{ TAB_VTP, "tables per VLAN: vtpVlanState (recording:onms_c3560-switch1)" },
	{ TAB_LOGICAL, "tables per VLAN: entLogicalTable (recording:onms_c3750-malm)" },
};

/* The default VLANs of FDDI and Token Ring are never bridged here, and each would cost a time-out. */
static bool
usable(uint64_t vlan)
{
	return vlan >= 1 && vlan <= VLAN_MAX && (vlan < FDDI_FIRST || vlan > TRNET_LAST);
}

/* "vlan505" or "VLAN0505". 0: another name. */
static unsigned
vlan_of_name(const uint8_t *p, size_t n)
{
	unsigned vlan = 0;

	while (n > 0 && p[n - 1] == '\0')	/* seen padded */
		n--;
	if (n < 5 || n > 8 || (memcmp(p, "vlan", 4) != 0 && memcmp(p, "VLAN", 4) != 0))
		return 0;
	for (size_t i = 4; i < n; i++) {
		if (p[i] < '0' || p[i] > '9')
			return 0;
		vlan = vlan * 10 + (p[i] - '0');
	}
	return vlan;
}

/* The index of column `col` in which it says so is kept in `out`: for columns of VTP the VLAN, for others what `vlan_of` makes of it. */
static void
collect(const struct tables *t, enum tab tab, unsigned col, int64_t wanted, struct vlan_set *out)
{
	for (size_t i = 0; i < t->n_cells; i++) {
		const struct cell *c = &t->cells[i];
		uint64_t vlan;

		if (c->tab != tab || c->col != col || c->n_idx == 0)
			continue;
		if (tab == TAB_LOGICAL)
			vlan = c->is_number || c->n_oct == 0 ? 0 : vlan_of_name(t->oct + c->oct_at, c->n_oct);
		else if (tab == TAB_VMVLAN)
			vlan = c->is_number && c->number > 0 ? (uint64_t)c->number : 0;
		else
			vlan = c->is_number && c->number == wanted ? t->idx[c->idx_at + c->n_idx - 1] : 0;
		if (usable(vlan))
			vlan_add(out, (unsigned)vlan);
	}
}

/* NULL: none. */
static const struct vlan_list *
list_of(const struct tables *t)
{
	if (t->forced || t->per_tab[TAB_DOT1Q] > 0 || t->per_tab[TAB_HWFDB] > 0)
		return NULL;
	for (size_t i = 0; i < nitems(vlan_lists); i++)
		if (t->per_tab[vlan_lists[i].tab] > 0)
			return &vlan_lists[i];
	return NULL;
}

bool
tables_vlans(const struct tables *t, struct vlan_set *all, struct vlan_set *access)
{
	const struct vlan_list *list = list_of(t);
	struct vlan_set ethernet = { 0 };
	uint64_t any = 0;

	*all = *access = (struct vlan_set){ 0 };
	if (list == NULL)
		return false;
	if (list->tab == TAB_VTP) {
		collect(t, TAB_VTP, 2, STATE_OPERATIONAL, all);
		collect(t, TAB_VTP, 3, TYPE_ETHERNET, &ethernet);
	} else {
		collect(t, TAB_LOGICAL, 2, 0, all);
		ethernet = *all;
	}
	collect(t, TAB_VMVLAN, 2, 0, access);
	for (size_t i = 0; i < nitems(all->bits); i++)
		any |= all->bits[i] &= ethernet.bits[i];
	return any != 0;
}

bool
wanted_vlan_list(const void *tables)
{
	const struct tables *t = tables;

	return !t->forced && t->per_tab[TAB_DOT1Q] == 0 && t->per_tab[TAB_HWFDB] == 0;
}

bool
wanted_contexts(const void *tables)
{
	const struct tables *t = tables;
	struct vlan_set all, access;

	return t->forced || tables_vlans(t, &all, &access);
}

bool
wanted_context_ports(const void *tables)
{
	return ((const struct tables *)tables)->context_rows > 0;
}

void
mib_vlan_join(struct tables *t)
{
	struct vlan_set all, access;

	if (t->forced)
		note_rule(t, "tables per VLAN: asked for by hand");
	else if (tables_vlans(t, &all, &access))
		note_rule(t, list_of(t)->rule);
}
