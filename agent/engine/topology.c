/* agent/engine/topology.c: the document `topology`. It concludes nothing about ports: it puts the two ends of what uplink.c
 * concluded together, and says of which neighbours and switches nothing is known. */
#include "engine/topology.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "engine/answer.h"

#define LINKS_MAX 20000			/* of one document; what is left out is counted */
#define SPOTS_MAX 4000
#define SPOTS_OF_SWITCH 64		/* one switch with bad manners hides no others, and keeps nobody waiting: */
#define ROWS_COMPARED 64		/* of one port */
#define NEIGHBOURS_MAX 4096		/* past these the other ends of its links stay unknown */
#define PORTS_MAX 65536

/* ---- links */

/* The port of `other` that the neighbours on `p` name. *several: more than one. */
static const struct port *
named_from_here(const struct sw *sw, const struct port *p, const struct sw *other, bool *several)
{
	const struct port *hit = NULL;

	for (size_t i = 0; i < sw->n_neighbours; i++) {
		const struct row_neighbour *nb = &sw->neighbours[i].neighbour;
		const struct port *named = sw->neighbour_is[i] == other && nb->if_index == p->if_index ? port_named(other, nb) : NULL;

		*several |= named != NULL && hit != NULL && named != hit;
		hit = named != NULL ? named : hit;
	}
	return hit;
}

/* The port of `other` where a neighbour names `p`. */
static const struct port *
named_from_there(const struct sw *sw, const struct port *p, const struct sw *other, bool *several)
{
	const struct port *hit = NULL;

	for (size_t i = 0; i < other->n_neighbours; i++) {
		const struct row_neighbour *nb = &other->neighbours[i].neighbour;
		const struct port *q = other->neighbour_is[i] == sw && port_named(sw, nb) == p ? sw_port(other, nb->if_index) : NULL;

		*several |= q != NULL && hit != NULL && q != hit;
		hit = q != NULL ? q : hit;
	}
	return hit;
}

/* The one uplink of `sw` towards `to`; NULL: none, or several. */
static const struct port *
only_uplink(const struct sw *sw, const struct sw *to)
{
	const struct port *hit = NULL;

	for (size_t i = 0; i < sw->n_ports; i++) {
		const struct port *p = &sw->ports[i];

		if (!p->uplink || p->towards != to)
			continue;
		if (hit != NULL)
			return NULL;
		hit = p;
	}
	return hit;
}

const struct port *
link_other_end(const struct sw *sw, const struct port *p)
{
	const struct sw *other = p->towards;
	const struct port *q;
	bool several = false;

	if (other == NULL || other == sw || sw->n_neighbours > NEIGHBOURS_MAX || other->n_neighbours > NEIGHBOURS_MAX ||
	    sw->n_ports > PORTS_MAX || other->n_ports > PORTS_MAX)
		return NULL;
	if ((q = named_from_here(sw, p, other, &several)) == NULL && !several)
		q = named_from_there(sw, p, other, &several);
	if (several)
		return NULL;
	return q != NULL ? q : only_uplink(sw, other) == p ? only_uplink(other, sw) : NULL;
}

/* Does the other end conclude the same of its port, so that the link is told from there? */
static bool
is_mutual(const struct link *l)
{
	return l->pb != NULL && l->pb->uplink && l->pb->towards == l->a && link_other_end(l->b, l->pb) == l->pa;
}

void
links_walk(struct sw *const *sorted, size_t n, link_each *each, void *arg)
{
	for (size_t i = 0; i < n; i++) {
		const struct sw *sw = sorted[i];

		for (size_t k = 0; k < sw->n_ports; k++) {
			const struct port *p = &sw->ports[k];
			struct link l = { sw, p->towards != sw ? p->towards : NULL, p, NULL };

			if (!p->uplink)
				continue;
			l.pb = link_other_end(sw, p);
			assert(l.pb == NULL || l.b != NULL);
			if (!is_mutual(&l) || strcmp(sw->name, l.b->name) < 0)
				each(arg, &l);
		}
	}
}

/* ---- neighbours that nobody polls */

/* cdpCacheCapabilities (CISCO-CDP-MIB): a switch, or a router that is no transparent bridge, which is what access points say. */
enum { CDP_ROUTER = 0x01, CDP_BRIDGE = 0x02, CDP_SWITCH = 0x08, CDP_PHONE = 0x80 };

static bool
forwards_frames(const struct row_neighbour *nb)
{
	if (nb->table == TABLE_CDP)
		return (nb->cdp_caps & CDP_PHONE) == 0 && ((nb->cdp_caps & CDP_SWITCH) != 0 ||
		    (nb->cdp_caps & (CDP_ROUTER | CDP_BRIDGE)) == CDP_ROUTER);
	return nb->caps_known && (nb->caps & (CAP_BRIDGE | CAP_ROUTER)) != 0 && (nb->caps & (CAP_TELEPHONE | CAP_WLAN | CAP_STATION)) == 0;
}

/* Octets of the name without a domain and without the serial number that CDP puts behind it. */
static size_t
short_name(const char *name)
{
	return strcspn(name, ".(");
}

static bool
same_short_name(const char *a, const char *b)
{
	size_t n = short_name(a);

	return n > 0 && n == short_name(b) && strncasecmp(a, b, n) == 0;
}

static const char *
name_of(const struct row_neighbour *nb, char out[static 128])
{
	octets_text(&nb->sys_name, out, 128);
	if (out[0] == '\0' && nb->table == TABLE_CDP)
		octets_text(&nb->chassis, out, 128);
	return out;
}

/* Rows of the same port, by what they lie in: indices of sw.neighbours. */
struct at_port { uint32_t if_index; size_t i; };

static int
at_port_compare(const void *a, const void *b)
{
	const struct at_port *x = a, *y = b;

	return x->if_index != y->if_index ? (x->if_index > y->if_index) - (x->if_index < y->if_index) : (x->i > y->i) - (x->i < y->i);
}

/* Said by CDP, while another row of the same port says the same device by LLDP, or says which polled switch it is. */
static bool
is_said_elsewhere(const struct sw *sw, const struct row_neighbour *nb, const struct at_port *rows, size_t n)
{
	const struct port *p = sw_port(sw, nb->if_index);
	char name[128], other[128];

	name_of(nb, name);
	if (p != NULL && p->towards != NULL && (same_short_name(name, p->towards->name) || same_short_name(name, p->towards->sys_name)))
		return true;
	for (size_t k = 0; k < n && k < ROWS_COMPARED; k++) {
		const struct row_neighbour *o = &sw->neighbours[rows[k].i].neighbour;

		if (o != nb && (sw->neighbour_is[rows[k].i] != NULL || (nb->table == TABLE_CDP && o->table != TABLE_CDP)) &&
		    same_short_name(name, name_of(o, other)))
			return true;
	}
	return false;
}

static void
unpolled_at_port(const struct sw *sw, const struct at_port *rows, size_t n, unpolled_each *each, void *arg)
{
	for (size_t k = 0; k < n; k++) {
		const struct row_neighbour *nb = &sw->neighbours[rows[k].i].neighbour;

		if (sw->neighbour_is[rows[k].i] == NULL && forwards_frames(nb) && !is_said_elsewhere(sw, nb, rows, n))
			each(arg, sw, nb);
	}
}

void
unpolled_walk(const struct sw *sw, unpolled_each *each, void *arg)
{
	struct at_port *rows = calloc(sw->n_neighbours + 1, sizeof *rows);

	if (rows == NULL)
		return;
	for (size_t i = 0; i < sw->n_neighbours; i++)
		rows[i] = (struct at_port){ sw->neighbours[i].neighbour.if_index, i };
	qsort(rows, sw->n_neighbours, sizeof *rows, at_port_compare);
	for (size_t i = 0, n; i < sw->n_neighbours; i += n) {
		for (n = 1; i + n < sw->n_neighbours && rows[i + n].if_index == rows[i].if_index;)
			n++;
		unpolled_at_port(sw, rows + i, n, each, arg);
	}
	free(rows);
}

static const char *
chassis_text(const struct row_neighbour *nb, char out[static 128])
{
	struct mac mac;

	if (nb->chassis_subtype == 4 && octets_mac(&nb->chassis, &mac))
		return mac_text(mac, out);
	return octets_text(&nb->chassis, out, 128);
}

const char *
neighbour_text(const struct row_neighbour *nb, char out[static 128])
{
	if (name_of(nb, out)[0] == '\0' && chassis_text(nb, out)[0] == '\0' && nb->n_mgmt > 0)
		ip_text(&nb->mgmt[0], out);
	if (out[0] == '\0')
		text_cut(out, 128, "without a name");
	return out;
}

static json_t *
capabilities_json(const struct row_neighbour *nb)
{
	static const struct { unsigned lldp, cdp; const char *word; } words[] = { { CAP_BRIDGE, CDP_BRIDGE | CDP_SWITCH, "bridge" },
		{ CAP_ROUTER, CDP_ROUTER, "router" }, { CAP_REPEATER, 0x40, "repeater" }, { CAP_OTHER, 0, "other" } };
	json_t *list = json_array();

	for (size_t i = 0; i < nitems(words); i++)
		if (nb->table == TABLE_CDP ? (nb->cdp_caps & words[i].cdp) != 0 : (nb->caps & words[i].lldp) != 0)
			json_array_append_new(list, json_string(words[i].word));
	return list;
}

static json_t *
octets_json(const struct octets *o)
{
	char text[128];

	return text_or_null(octets_text(o, text, sizeof text));
}

static json_t *
neighbour_json(const struct row_neighbour *nb)
{
	char name[128], chassis[128], address[IP_TEXT] = "";

	if (nb->n_mgmt > 0)
		ip_text(&nb->mgmt[0], address);
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "source", row_table_word(nb->table), "name", text_or_null(name_of(nb, name)),
	    "description", octets_json(&nb->sys_desc), "platform", octets_json(&nb->platform), "chassis", text_or_null(chassis_text(nb, chassis)),
	    "port", octets_json(&nb->port), "address", text_or_null(address), "capabilities", capabilities_json(nb));
}

/* ---- the document */

struct document {
	struct engine	*e;
	const char	*only;		/* "": all */
	json_t		*links, *spots;
	size_t		 omitted_links, omitted_spots, of_switch;
	bool		*linked;	/* by sw.index */
};

static json_t *
end_json(const struct sw *sw, const struct port *p, const struct sw *other)
{
	char why[128];

	if (p == NULL)
		return json_pack("{s:o, s:n, s:n, s:n, s:n}", "switch", text_or_null(sw != NULL ? sw->name : NULL), "port", "ifIndex",
		    "reasonCode", "reason");
	if (p->uplink)
		uplink_reason(p, why);
	else
		text_printf(why, sizeof why, p->why != 0 ? "does not agree that %.60s is there" : "says nothing of %.60s", other->name);
	return json_pack("{s:s, s:o, s:I, s:o, s:s}", "switch", sw->name, "port", text_or_null(p->name), "ifIndex", (json_int_t)p->if_index,
	    "reasonCode", text_or_null(p->why != 0 ? reason_word(p->why) : NULL), "reason", why);
}

static bool
is_asked_for(const struct document *d, const struct sw *sw)
{
	return d->only[0] == '\0' || (sw != NULL && strcmp(d->only, sw->name) == 0);
}

/* A switch that nobody polls and that is heard on `p`, while who the link leads to is not: it lies between. "": none. */
static const char *
between(const struct sw *sw, const struct port *p, char out[static 128])
{
	out[0] = '\0';
	if (sw == NULL || p == NULL || sw->n_neighbours > NEIGHBOURS_MAX)
		return out;
	for (size_t i = 0; i < sw->n_neighbours; i++) {
		const struct row_neighbour *nb = &sw->neighbours[i].neighbour;

		if (nb->if_index != p->if_index)
			continue;
		if (sw->neighbour_is[i] != NULL) {
			out[0] = '\0';
			break;
		}
		if (out[0] == '\0' && forwards_frames(nb))
			neighbour_text(nb, out);
	}
	return out;
}

static void
link_put(void *arg, const struct link *l)
{
	struct document *d = arg;
	char through[128];

	d->linked[l->a->index] = true;
	if (l->b != NULL)
		d->linked[l->b->index] = true;
	if (!is_asked_for(d, l->a) && !is_asked_for(d, l->b))
		return;
	if (json_array_size(d->links) >= LINKS_MAX) {
		d->omitted_links++;
		return;
	}
	if (between(l->a, l->pa, through)[0] == '\0')
		between(l->b, l->pb, through);
	json_array_append_new(d->links, json_pack("{s:o, s:o, s:o}", "a", end_json(l->a, l->pa, l->b), "b", end_json(l->b, l->pb, l->a),
	    "through", text_or_null(through)));
}

/* Takes `neighbour` over. */
static void
spot_put(struct document *d, const char *kind, const struct sw *sw, const struct port *p, json_t *neighbour, const char *text)
{
	if (json_array_size(d->spots) >= SPOTS_MAX) {
		json_decref(neighbour);
		d->omitted_spots++;
		return;
	}
	json_array_append_new(d->spots, json_pack("{s:s, s:s, s:o, s:o, s:s, s:o, s:s}", "kind", kind, "switch", sw->name, "port",
	    text_or_null(p != NULL ? p->name : NULL), "ifIndex", number_or_null(p != NULL ? p->if_index : 0), "state",
	    switch_state_word(sw->state), "neighbour", neighbour != NULL ? neighbour : json_null(), "text", text));
}

static void
neighbour_put(void *arg, const struct sw *sw, const struct row_neighbour *nb)
{
	struct document *d = arg;
	const struct port *p = sw_port(sw, nb->if_index);
	char name[128], text[256];

	if (++d->of_switch > SPOTS_OF_SWITCH) {
		d->omitted_spots++;
		return;
	}
	text_printf(text, sizeof text, "beyond %.63s of %.63s, towards an unpolled switch '%.100s'", p == NULL ? "an unknown port" :
	    p->name, sw->name, neighbour_text(nb, name));
	spot_put(d, "unpolled-neighbour", sw, p, neighbour_json(nb), text);
}

static void
unpolled_put(struct document *d, const struct sw *sw)
{
	d->of_switch = 0;
	unpolled_walk(sw, neighbour_put, d);
}

static void
silent_put(struct document *d, const struct sw *sw)
{
	char text[256];

	if (sw->state != SWITCH_UNREACHABLE && sw->state != SWITCH_AUTH_FAILED && sw->state != SWITCH_NEVER)
		return;
	if (sw->state == SWITCH_NEVER)
		text_printf(text, sizeof text, "%.63s was not polled yet", sw->name);
	else
		text_printf(text, sizeof text, "%.63s %s%s%.120s", sw->name, sw->state == SWITCH_AUTH_FAILED ? "refuses our credentials" :
		    sw->last_poll.us == 0 ? "never answered" : "does not answer", sw->error[0] != '\0' ? ": " : "", sw->error);
	spot_put(d, "unreachable-switch", sw, NULL, NULL, text);
}

/* Not while conclusions are out of date: a switch read a moment ago may have a link that is not seen yet. */
static void
alone_put(struct document *d, const struct sw *sw)
{
	char text[256];

	if (d->linked[sw->index] || !sw_is_reached(sw) || d->e->net.n_switches < 2 || d->e->net.topology_stale)
		return;
	text_printf(text, sizeof text, "%.63s has no link to any polled switch", sw->name);
	spot_put(d, "switch-without-link", sw, NULL, NULL, text);
}

static void
document_fill(struct document *d, struct sw **sorted)
{
	static void (*const kinds[])(struct document *, const struct sw *) = { unpolled_put, silent_put, alone_put };
	size_t n = d->e->net.n_switches;

	links_walk(sorted, n, link_put, d);
	for (size_t k = 0; k < nitems(kinds); k++)
		for (size_t i = 0; i < n; i++)
			if (is_asked_for(d, sorted[i]))
				kinds[k](d, sorted[i]);
}

void
answer_topology(struct engine *e, const struct msg_query *q)
{
	struct document d = { .e = e, .only = q->argument, .links = json_array(), .spots = json_array() };
	struct sw **sorted = switches_sorted(e);

	if (q->argument[0] != '\0' && net_switch_named(&e->net, q->argument) == NULL)
		answer_error(e, q->id, "no such switch", q->argument);
	else if (sorted == NULL || (d.linked = calloc(e->net.n_switches + 1, sizeof *d.linked)) == NULL)
		answer_error(e, q->id, "out of memory", NULL);
	else {
		if (e->net.topology_stale)
			neighbours_resolve(&e->net);
		document_fill(&d, sorted);
		answer_send(e, q->id, json_pack("{s:i, s:O, s:O, s:{s:I, s:I}}", "version", 1, "links", d.links, "blindSpots", d.spots, "omitted",
		    "links", (json_int_t)d.omitted_links, "blindSpots", (json_int_t)d.omitted_spots));
	}
	json_decref(d.links);
	json_decref(d.spots);
	free(d.linked);
	free(sorted);
}
