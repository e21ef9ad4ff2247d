/* agent/engine/uplink.c: which ports lead to another polled switch. One side's word is not enough where the other end is
 * polled too (threat-model.md D10): a device chooses its own LLDP strings and MAC. */
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "engine/net.h"

/* A polled switch that can be asked now, with the tables that could agree. */
static bool
is_reached(const struct sw *sw)
{
	return sw->polls > 0 && (sw->state == SWITCH_OK || sw->state == SWITCH_INCOMPLETE);
}

static struct sw *
owner_of(const struct net *n, struct mac mac)
{
	for (size_t i = 0; i < n->n_switches; i++)
		if (sw_owns(n->switches[i], mac))
			return n->switches[i];
	return NULL;
}

/* The polled switch that a neighbour says it is: by an address of its own, or by the address or the name we poll it by. */
static struct sw *
neighbour_switch(const struct net *n, const struct row_neighbour *nb)
{
	struct mac mac;
	struct sw *sw;
	char name[64];

	if (octets_mac(&nb->chassis, &mac) && (sw = owner_of(n, mac)) != NULL)
		return sw;
	octets_text(&nb->sys_name, name, sizeof name);
	for (size_t i = 0; i < n->n_switches; i++) {
		sw = n->switches[i];
		for (size_t a = 0; a < nb->n_mgmt; a++)
			if (!ip_is_special(&nb->mgmt[a]) && ip_eq(&nb->mgmt[a], &sw->conf->address.ip))
				return sw;
		if (name[0] != '\0' && (str_eq(name, sw->name) || str_eq(name, sw->sys_name)))
			return sw;
	}
	return NULL;
}

static bool
names_as_neighbour(const struct net *n, const struct sw *who, const struct sw *other)
{
	for (size_t i = 0; i < who->n_neighbours; i++)
		if (neighbour_switch(n, &who->neighbours[i].neighbour) == other)
			return true;
	return false;
}

static bool
sees_a_mac_of(const struct net *n, const struct sw *who, const struct sw *other)
{
	for (size_t i = 0; i < other->n_own; i++) {
		const struct station *st = net_station(n, other->own[i]);

		for (uint32_t k = 0; st != NULL && k < st->n; k++)
			if (st->seen[k].sw == who && sighting_is_live(&st->seen[k]) && st->seen[k].if_index != 0)
				return true;
	}
	return false;
}

static size_t
tree_root(const struct net *n, size_t i)
{
	while (n->switches[i]->tree != i)
		i = n->switches[i]->tree = n->switches[n->switches[i]->tree]->tree;
	return i;
}

/* Later claims never weaken an earlier, better one. */
static void
port_mark(struct port *p, bool uplink, enum reason why, struct sw *towards)
{
	if (p->configured_access || p->uplink || (p->why != 0 && !uplink))
		return;
	p->uplink = uplink;
	p->why = why;
	p->towards = towards;
}

static void
judge_neighbours(struct net *n, struct sw *sw)
{
	for (size_t i = 0; i < sw->n_neighbours; i++) {
		const struct row_neighbour *nb = &sw->neighbours[i].neighbour;
		struct port *p = sw_port(sw, nb->if_index);
		struct sw *other;

		if (p == NULL)
			continue;
		if (nb->caps_known && (nb->caps & CAP_TELEPHONE) != 0)
			p->phone = true;
		if ((other = neighbour_switch(n, nb)) == NULL || other == sw)
			continue;
		if (names_as_neighbour(n, other, sw)) {
			port_mark(p, true, REASON_UPLINK_NEIGHBOURS_AGREE, other);
			n->switches[tree_root(n, sw->index)]->tree = tree_root(n, other->index);
		} else if (!is_reached(other)) {
			port_mark(p, true, REASON_UPLINK_ONE_SIDED, other);
		} else if (!sees_a_mac_of(n, other, sw)) {
			port_mark(p, false, REASON_CONFLICT_NEIGHBOUR, other);
		}
	}
}

/* MACs of polled switches learned on ports of others. Where both belong to one agreed tree, the MAC has to come through a
 * port of that tree: on any other port somebody borrowed it. */
static void
judge_macs_of(struct net *n, struct sw *other)
{
	for (size_t i = 0; i < other->n_own; i++) {
		const struct station *st = net_station(n, other->own[i]);

		for (uint32_t k = 0; st != NULL && k < st->n; k++) {
			const struct sighting *s = &st->seen[k];
			struct port *p = sw_port(s->sw, s->if_index);

			if (p == NULL || s->sw == other || !sighting_is_live(s) || p->uplink)
				continue;
			if (tree_root(n, s->sw->index) == tree_root(n, other->index))
				port_mark(p, false, REASON_CONFLICT_MAC, other);
			else if (!is_reached(other))
				port_mark(p, true, REASON_UPLINK_ONE_SIDED, other);
			else if (sees_a_mac_of(n, other, s->sw))
				port_mark(p, true, REASON_UPLINK_MACS_AGREE, other);
			else if (other->complete_polls >= 2)
				port_mark(p, false, REASON_CONFLICT_MAC, other);
		}
	}
}

static void
count_stations(struct net *n)
{
	for (size_t i = 0; i < n->n_slots; i++) {
		const struct station *st = &n->slots[i];
		struct mac mac = mac_of_u64(st->mac);

		if (st->n == 0 || mac_is_virtual_router(mac))
			continue;
		for (uint32_t k = 0; k < st->n; k++) {
			struct port *p = sighting_is_live(&st->seen[k]) ? sw_port(st->seen[k].sw, st->seen[k].if_index) : NULL;
			bool again = false;

			for (uint32_t j = 0; j < k && p != NULL; j++)	/* one MAC in several VLANs of a port counts once */
				again |= st->seen[j].sw == st->seen[k].sw && st->seen[j].if_index == st->seen[k].if_index;
			if (p != NULL && !again)
				p->stations++;
		}
	}
}

bool
uplinks_decide(struct net *n)
{
	bool changed = false;
	struct was { bool uplink, phone; enum reason why; struct sw *towards; uint32_t stations; } *was;
	size_t total = 0, at = 0;

	for (size_t i = 0; i < n->n_switches; i++)
		total += n->switches[i]->n_ports;
	if ((was = calloc(total + 1, sizeof *was)) == NULL)
		return true;		/* all is looked at again: slower, not wrong */
	for (size_t i = 0; i < n->n_switches; i++) {
		struct sw *sw = n->switches[i];

		sw->tree = i;
		for (size_t k = 0; k < sw->n_ports; k++) {
			struct port *p = &sw->ports[k];

			was[at++] = (struct was){ p->uplink, p->phone, p->why, p->towards, p->stations };
			p->uplink = p->configured_uplink && !p->configured_access;
			p->why = p->uplink ? REASON_UPLINK_CONFIGURED : 0;
			p->towards = NULL;
			p->phone = false;
			p->stations = 0;
		}
	}
	for (size_t i = 0; i < n->n_switches; i++)
		judge_neighbours(n, n->switches[i]);
	for (size_t i = 0; i < n->n_switches; i++)
		judge_macs_of(n, n->switches[i]);
	count_stations(n);
	at = 0;
	for (size_t i = 0; i < n->n_switches; i++) {
		for (size_t k = 0; k < n->switches[i]->n_ports; k++, at++) {
			const struct port *p = &n->switches[i]->ports[k];

			changed |= p->uplink != was[at].uplink || p->why != was[at].why || p->towards != was[at].towards ||
			    p->phone != was[at].phone || p->stations != was[at].stations;
		}
	}
	free(was);
	return changed;
}
