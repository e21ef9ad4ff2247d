/* agent/engine/locate.c: from sightings and port verdicts to one place, never a guessed one. */
#include "engine/locate.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

void
place_of(struct place *out, const struct sw *sw, uint32_t if_index, uint16_t vlan)
{
	const struct port *p = sw_port(sw, if_index);

	*out = (struct place){ .if_index = if_index, .vlan = vlan };
	text_cut(out->switch_name, sizeof out->switch_name, sw->name);
	if (p != NULL) {
		text_cut(out->port, sizeof out->port, p->name);
		text_cut(out->alias, sizeof out->alias, port_alias(p));
	}
}

static void
say(struct location *l, enum verdict v, enum reason r, const char *text)
{
	l->verdict = v;
	l->reason = r;
	text_cut(l->reason_text, sizeof l->reason_text, text);
}

/* The sightings sorted into those that can be the place, those that look through an uplink, and those without a port. */
struct views_of {
	struct sighting		 edge[CANDIDATES_MAX], up[CANDIDATES_MAX], portless;	/* portless.sw NULL: none */
	size_t			 n_edge, n_up;
	bool			 more_edge, more_up;	/* there were more than fit; any number of uplinks may see a station */
};

static void
keep(struct sighting *list, size_t *n, const struct sighting *s, bool *more)
{
	for (size_t i = 0; i < *n; i++) {
		if (list[i].sw != s->sw || list[i].if_index != s->if_index)
			continue;
		if (s->since > list[i].since || (s->since == list[i].since && s->vlan != 0 && list[i].vlan == 0))
			list[i] = *s;	/* the same port in another VLAN: the newer one */
		return;
	}
	if (*n == CANDIDATES_MAX)
		*more = true;
	else
		list[(*n)++] = *s;
}

static void
sort_views(const struct net *n, const struct station *st, struct views_of *v)
{
	for (uint32_t i = 0; i < station_n(st); i++) {
		const struct sighting s = sighting_at(n, st, i);
		const struct port *p = sw_port(s.sw, s.if_index);

		if (s.status == FDB_SELF || s.status == FDB_INVALID)
			continue;
		if (s.if_index == 0 || p == NULL)	/* or one that its interface table does not know (yet): no uplink could be told */
			v->portless = s;
		else if (p != NULL && p->uplink)
			keep(v->up, &v->n_up, &s, &v->more_up);
		else
			keep(v->edge, &v->n_edge, &s, &v->more_edge);
	}
}

static void
candidates(struct location *l, const struct sighting *list, size_t n)
{
	for (size_t i = 0; i < n && l->n_candidates < CANDIDATES_MAX; i++)
		place_of(&l->candidates[l->n_candidates++], list[i].sw, list[i].if_index, list[i].vlan);
}

static void
at_edge(struct location *l, const struct sighting *s)
{
	const struct port *p = sw_port(s->sw, s->if_index);
	char text[128];

	place_of(&l->place, s->sw, s->if_index, s->vlan);
	if (p->configured_access) {
		say(l, VERDICT_ACCESS, REASON_ACCESS_CONFIGURED, "the configuration says that this is an access port");
	} else if (p->stations <= 1) {
		say(l, VERDICT_ACCESS, REASON_ACCESS_PORT, "the only station on a port that is no uplink");
	} else if (p->phone && p->stations <= 3) {
		say(l, VERDICT_ACCESS, REASON_ACCESS_PHONE, "behind a phone on a port that is no uplink");
	} else {
		text_printf(text, sizeof text, "%u stations on a port that is no uplink: an unmanaged switch or an access point is there", p->stations);
		say(l, VERDICT_SHARED, REASON_SHARED_STATIONS, text);
	}
}

/* Neither port can lead to the other: they are on one switch, or each switch has another, known way to the other one. */
static bool
are_both_edges(const struct sighting *a, const struct sighting *b)
{
	return a->sw == b->sw || a->sw->part == b->sw->part;
}

/* Does the port of `a` lead to the switch of `b`, while the port of `b` is no way back? Then `a` is only on the way to `b`. */
static bool
is_way_to(const struct net *n, const struct sighting *a, const struct sighting *b, struct mac mac)
{
	const struct port *p = sw_port(a->sw, a->if_index), *q = sw_port(b->sw, b->if_index);
	struct way there, back;

	if (p == NULL || q == NULL || are_both_edges(a, b))
		return false;
	there = port_way(n, a->sw, p, b->sw, mac);
	back = port_way(n, b->sw, q, a->sw, mac);
	return there.there >= 2 && there.rest > 0 && back.rest > 0 && back.there == 0;
}

static void
drop_ways(const struct net *n, struct views_of *v, struct mac mac)
{
	struct sighting kept[CANDIDATES_MAX];
	size_t n_kept = 0;

	for (size_t i = 0; i < v->n_edge; i++) {
		bool way = false;

		for (size_t k = 0; k < v->n_edge && !way; k++)
			way = k != i && is_way_to(n, &v->edge[i], &v->edge[k], mac);
		if (!way)
			kept[n_kept++] = v->edge[i];
	}
	if (n_kept == 0)
		return;				/* they point at each other: nothing is learned from that */
	memcpy(v->edge, kept, n_kept * sizeof *kept);
	v->n_edge = n_kept;
}

static bool
has_uplink(const struct sw *sw)
{
	for (size_t i = 0; i < sw->n_ports; i++)
		if (sw->ports[i].uplink)
			return true;
	return false;
}

/* An edge port is the place unless an uplink elsewhere sees the station in another direction: then the switch of the edge port is
 * joined to the others in a way that nobody knows, and that port may be it. What is behind a switch that cannot be asked is
 * nobody's contradiction, as long as the edge port's switch has its way out. */
static bool
is_contradicted(const struct views_of *v)
{
	const struct sighting *s = &v->edge[0];
	bool way_out = has_uplink(s->sw);

	for (size_t i = 0; i < v->n_up; i++) {
		const struct port *p = sw_port(v->up[i].sw, v->up[i].if_index);

		if (v->up[i].sw->part == s->sw->part || p->towards == NULL || !sw_is_reached(v->up[i].sw))
			continue;
		if (sw_is_reached(p->towards) ? !port_reaches(v->up[i].sw, p, s->sw) : !way_out)
			return true;
		if (p->why == REASON_UPLINK_ONE_SIDED && !way_out)
			return true;
	}
	return false;
}

/* Several ports that are no uplinks see it. The newest is where it is now, if it came there by a later poll than the others, and
 * if no port may be the way to another; addresses of the same poll time decide nothing. */
static void
among_edges(const struct net *n, struct mac mac, struct location *l, struct views_of *v)
{
	const struct sighting *newest;
	bool unique = !v->more_edge;

	candidates(l, v->edge, v->n_edge);
	drop_ways(n, v, mac);
	newest = &v->edge[0];
	for (size_t i = 1; i < v->n_edge; i++)
		if (v->edge[i].since > newest->since)
			newest = &v->edge[i];
	for (size_t i = 0; i < v->n_edge; i++)
		if (&v->edge[i] != newest && (v->edge[i].since == newest->since || !are_both_edges(&v->edge[i], newest)))
			unique = false;
	if (unique)
		at_edge(l, newest);
	else
		say(l, VERDICT_UNKNOWN, REASON_SEVERAL_PORTS, "several ports show it and nothing says which of them is nearest");
}

/* The switch that this uplink leads to shows the station, too, through an uplink of its own: it is known to be farther on. */
static bool
is_shown_farther_on(const struct views_of *v, const struct sighting *s)
{
	const struct port *p = sw_port(s->sw, s->if_index), *q;

	for (size_t i = 0; i < v->n_up; i++)
		if (v->up[i].sw == p->towards && (q = sw_port(v->up[i].sw, v->up[i].if_index))->towards != s->sw)
			return true;
	return false;
}

/* The farthest uplink on the way, and of several such (it moved, or they point at each other) the newest. */
static const struct sighting *
farthest(const struct views_of *v)
{
	const struct sighting *s = NULL;

	for (int last = 1; last >= 0 && s == NULL; last--)
		for (size_t i = 0; i < v->n_up; i++)
			if ((!last || !is_shown_farther_on(v, &v->up[i])) && (s == NULL || v->up[i].since > s->since))
				s = &v->up[i];
	return s;
}

static void
beyond(struct location *l, const struct views_of *v)
{
	const struct sighting *s = farthest(v);
	const struct port *p;
	char text[128];

	p = sw_port(s->sw, s->if_index);
	place_of(&l->place, s->sw, s->if_index, s->vlan);
	candidates(l, v->up, v->n_up > 1 ? v->n_up : 0);
	if (p->towards == NULL) {
		say(l, VERDICT_BEYOND, REASON_BEYOND_CONFIGURED, "seen only through a configured uplink: beyond it");
		return;
	}
	if (p->towards->state == SWITCH_OK || p->towards->state == SWITCH_INCOMPLETE) {
		text_printf(text, sizeof text, "beyond the uplink towards %s, which does not show it", p->towards->name);
		say(l, VERDICT_BEYOND, REASON_BEYOND_POLLED, text);
	} else {
		text_printf(text, sizeof text, "beyond the uplink towards %s, which cannot be asked", p->towards->name);
		say(l, VERDICT_BEYOND, REASON_BEYOND_UNREACHABLE, text);
	}
}

static bool
neighbour_of(const struct sw *sw, struct mac mac, struct location *l)
{
	for (size_t k = 0; k < sw->n_neighbours; k++) {
		const struct row_neighbour *nb = &sw->neighbours[k].neighbour;
		const struct port *p = sw_port(sw, nb->if_index);

		if (!neighbour_has_mac(nb, mac) || (p != NULL && p->uplink))
			continue;
		place_of(&l->place, sw, nb->if_index, 0);
		if (nb->if_index != 0)
			say(l, VERDICT_ACCESS, REASON_ACCESS_PORT, "the neighbour on a port that is no uplink; not in the MAC table");
		else
			say(l, VERDICT_UNKNOWN, REASON_NO_PORT, "a neighbour of this switch, which does not say on which port");
		return true;
	}
	return false;
}

/* No MAC table shows it on an edge port: a neighbour table may. */
static bool
as_neighbour(const struct net *n, struct mac mac, struct location *l)
{
	const struct sw *sw = map_get(&n->heard, mac_u64(mac));

	if (sw == NULL)
		return false;
	if (sw != &net_several)
		return neighbour_of(sw, mac, l);
	for (size_t i = 0; i < n->n_switches; i++)
		if (neighbour_of(n->switches[i], mac, l))
			return true;
	return false;
}

void
locate(const struct net *n, struct mac mac, struct location *out)
{
	const struct station *st = net_station(n, mac);
	struct views_of v = { 0 };

	memset(out, 0, sizeof *out);
	if (st != NULL)
		sort_views(n, st, &v);
	if (v.n_edge == 1 && is_contradicted(&v)) {
		candidates(out, v.edge, 1);
		candidates(out, v.up, v.n_up);
		say(out, VERDICT_UNKNOWN, REASON_SEVERAL_PORTS, "this port and uplinks elsewhere that do not lead here show it");
	} else if (v.n_edge == 1)
		at_edge(out, &v.edge[0]);
	else if (v.n_edge > 0)
		among_edges(n, mac, out, &v);
	else if (as_neighbour(n, mac, out))
		return;
	else if (v.n_up > 0)
		beyond(out, &v);
	else if (v.portless.sw != NULL) {
		place_of(&out->place, v.portless.sw, v.portless.if_index, v.portless.vlan);
		say(out, VERDICT_UNKNOWN, REASON_NO_PORT, v.portless.if_index == 0 ? "this switch knows the address and names no port for it" :
		    "the port is not in this switch's interface table");
	} else
		say(out, VERDICT_UNKNOWN, REASON_NOT_SEEN, "no switch shows it now");
}

bool
locate_is_echo(const struct net *n, struct mac mac)
{
	const struct station *st = net_station(n, mac);

	for (uint32_t i = 0; st != NULL && i < station_n(st); i++) {
		const struct sighting s = sighting_at(n, st, i);
		const struct port *p = sw_port(s.sw, s.if_index);
		const struct sw *t = p != NULL && p->uplink ? p->towards : NULL;

		if (s.status == FDB_SELF || s.status == FDB_INVALID || !sw_is_reached(s.sw))
			continue;
		/* What the switch behind the uplink says of it is looked at in its turn. */
		if (t == NULL || !sw_is_reached(t) || (t->complete & ROW_BIT(ROW_FDB)) == 0)
			return false;
	}
	return true;
}

bool
locate_in_doubt(const struct net *n, struct mac mac)
{
	const struct station *st = net_station(n, mac);

	for (uint32_t i = 0; st != NULL && i < station_n(st); i++) {
		const struct sighting s = sighting_at(n, st, i);
		const struct port *p = sw_port(s.sw, s.if_index);

		if (p != NULL && p->doubted && p->uplink)
			return true;
	}
	return false;
}

size_t
locate_ask(const struct net *n, struct mac mac, struct sw **out, size_t max)
{
	const struct station *st = net_station(n, mac);
	size_t count = 0;

	for (uint32_t i = 0; st != NULL && i < station_n(st) && count < max; i++) {
		const struct sighting s = sighting_at(n, st, i);
		const struct port *p = sw_port(s.sw, s.if_index);
		bool known = false;

		if (p == NULL || !p->uplink || p->towards == NULL)
			continue;
		for (uint32_t k = 0; k < station_n(st); k++)	/* that switch shows it already */
			known |= sighting_at(n, st, k).sw == p->towards;
		for (size_t k = 0; k < count; k++)
			known |= out[k] == p->towards;
		if (!known)
			out[count++] = p->towards;
	}
	return count;
}
