/* agent/engine/doctor.c: what the engine knows to be wired wrongly, for `camtrapctl doctor`. Each check looks at one thing and says
 * nothing of what it cannot know yet: while the first sweep runs, "missing" only means "not looked at". */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "engine/answer.h"
#include "engine/topology.h"
#include "model/trouble.h"

#define DAY_US 86400000000ll
#define REGISTRY_OLD_DAYS 400
#define POLICY_OLD_DAYS 730
#define BEHIND_S 900			/* the oldest row of a receiver that is up */
#define LOOKED_AT 4000000		/* ports and neighbours, for the cables of one switch: one with bad manners keeps nobody waiting */
#define POLLS_TO_COMPLETE 3		/* as for a baseline */

struct heard;

struct doctor {
	struct engine	*e;
	struct sw	**sorted;	/* by name */
	size_t		 n;
	struct heard	**heard;	/* by sw.index: who is heard on its ports */
	size_t		*n_heard;
	struct moment	 now;
	struct troubles	 t;
};

/* ---- ourselves */

static void
check_clock(struct doctor *d)
{
	char text[WALL_TEXT];

	if (!wall_is_set(d->now.wall))
		trouble_add(&d->t, TROUBLE_CLOCK_UNSET, (struct trouble_at){ 0 }, "the clock says %s", wall_text(d->now.wall, text));
}

static void
check_processes(struct doctor *d)
{
	for (size_t i = 0; i < d->e->n_roles; i++) {
		const struct msg_role *r = &d->e->roles[i];

		if (r->looping || r->state == ROLE_WAITING)
			trouble_add(&d->t, TROUBLE_PROCESS_FAILING, (struct trouble_at){ .process = r->who }, "%s %s (%u restarts)", r->who,
			    r->looping ? "ends again and again" : "has ended and waits for its restart", r->restarts);
	}
	if (in_memory(d->e))
		trouble_add(&d->t, TROUBLE_STORE_FAILING, (struct trouble_at){ .file = d->e->conf->state_dir }, "the database cannot be written");
	if (d->e->reload.at.us != 0 && !d->e->reload.ok)
		trouble_add(&d->t, TROUBLE_RELOAD_REFUSED, (struct trouble_at){ .file = d->e->conf->path }, "the last reload was refused: %s",
		    d->e->reload.why);
}

static void
check_limits(struct doctor *d)
{
	const struct net *n = &d->e->net;

	if (n->refused_stations > 0)
		trouble_add(&d->t, TROUBLE_STATIONS_REFUSED, (struct trouble_at){ 0 }, "%llu stations were refused: max_stations is %u",
		    (unsigned long long)n->refused_stations, n->max_stations);
	else if (n->n_stations >= n->max_stations / 10 * 9)
		trouble_add(&d->t, TROUBLE_STATIONS_NEAR_LIMIT, (struct trouble_at){ 0 }, "%zu stations are known: max_stations is %u",
		    n->n_stations, n->max_stations);
}

/* ---- lists that makers and restrictions are judged by */

static int64_t
days_since(const struct doctor *d, struct wall t)
{
	return (d->now.wall.us - t.us) / DAY_US;
}

/* Where several files hold assignments, the newest one counts. */
static void
check_registry(struct doctor *d)
{
	size_t n, entries = 0, newest = 0;
	const struct registry_file *files = registry_files(d->e->registry, &n);

	for (size_t i = 0; i < n; i++) {
		entries += files[i].entries;
		newest = files[i].dated.us > files[newest].dated.us ? i : newest;
	}
	if (entries == 0)
		trouble_add(&d->t, TROUBLE_REGISTRY_EMPTY, (struct trouble_at){ 0 }, "the registry of address blocks is empty");
	else if (files[newest].dated.us > 0 && days_since(d, files[newest].dated) > REGISTRY_OLD_DAYS)
		trouble_add(&d->t, TROUBLE_REGISTRY_OLD, (struct trouble_at){ .file = files[newest].path }, "the registry is %lld days old",
		    (long long)days_since(d, files[newest].dated));
}

static void
check_policies(struct doctor *d)
{
	const struct policies *p = &d->e->conf->policies;
	size_t rules = 0;

	for (size_t i = 0; i < p->n; i++) {
		struct wall dated;

		rules += p->sets[i].n;
		if (p->sets[i].dated == NULL || wall_parse(p->sets[i].dated, &dated) < 0 || days_since(d, dated) <= POLICY_OLD_DAYS)
			continue;
		trouble_add(&d->t, TROUBLE_POLICY_OLD, (struct trouble_at){ 0 }, "the policy \"%s\" is of %s", p->sets[i].name,
		    p->sets[i].dated);
	}
	if (rules == 0)
		trouble_add(&d->t, TROUBLE_POLICY_EMPTY, (struct trouble_at){ 0 }, "no policy has a rule");
}

/* ---- receivers */

static void
check_receiver(struct doctor *d, const struct outbox_figures *f)
{
	const struct trouble_at at = { .receiver = f->receiver };
	int64_t oldest_s = f->oldest.us != 0 ? (d->now.wall.us - f->oldest.us) / 1000000 : 0;
	char age[24];

	if (f->orphan) {
		if (f->queued > 0)
			trouble_add(&d->t, TROUBLE_RECEIVER_ORPHANED, at, "%zu notifications wait for \"%s\", which is not configured any more",
			    f->queued, f->receiver);
		return;
	}
	if (f->state == RECEIVER_DOWN)
		trouble_add(&d->t, TROUBLE_RECEIVER_DOWN, at, "\"%s\" does not acknowledge, %zu notifications wait: %s", f->receiver, f->queued,
		    f->last_failure);
	else if (f->state == RECEIVER_REFUSED)
		trouble_add(&d->t, TROUBLE_RECEIVER_REFUSES, at, "\"%s\" refused the last notification: %s", f->receiver, f->last_failure);
	else if (oldest_s > BEHIND_S)
		trouble_add(&d->t, TROUBLE_RECEIVER_BEHIND, at, "%zu notifications wait for \"%s\", the oldest for %s", f->queued, f->receiver,
		    duration_words((uint64_t)oldest_s * 1000, age));
	if (!f->inform)
		trouble_add(&d->t, TROUBLE_RECEIVER_UNACKNOWLEDGED, at, "\"%s\" gets traps, which nobody acknowledges", f->receiver);
}

static void
check_receivers(struct doctor *d)
{
	struct outbox_figures f;

	if (d->e->conf->n_receivers == 0)
		trouble_add(&d->t, TROUBLE_RECEIVER_NONE, (struct trouble_at){ 0 }, "no receiver is configured");
	for (size_t i = 0; outbox_figures(d->e->outbox, i, &f); i++)
		check_receiver(d, &f);
}

/* ---- how polling goes */

static void
check_state(struct doctor *d, const struct sw *sw)
{
	const struct trouble_at at = { .switch_name = sw->name };
	const char *why = sw->error[0] != '\0' ? sw->error : "no answer";
	char last[WALL_TEXT];

	switch (sw->state) {
	case SWITCH_AUTH_FAILED:
		trouble_add(&d->t, TROUBLE_SWITCH_AUTH_FAILED, at, "%s refuses our credentials: %s", sw->name, why);
		break;
	case SWITCH_UNREACHABLE:
		if (sw->last_poll.us == 0)
			trouble_add(&d->t, TROUBLE_SWITCH_NEVER_ANSWERED, at, "%s never answered: %s", sw->name, why);
		else
			trouble_add(&d->t, TROUBLE_SWITCH_UNREACHABLE, at, "%s does not answer since %.19sZ: %s", sw->name,
			    wall_text(sw->last_poll, last), why);
		break;
	case SWITCH_INCOMPLETE:
		if (sw->polls >= POLLS_TO_COMPLETE && sw->complete_polls == 0)
			trouble_add(&d->t, TROUBLE_SWITCH_INCOMPLETE, at, "%s was never read completely: %s", sw->name, why);
		break;
	default:
		break;
	}
}

static void
check_sweep(struct doctor *d)
{
	size_t never = 0;

	for (size_t i = 0; i < d->n; i++)
		never += d->sorted[i]->state == SWITCH_NEVER;
	if (never > 0)
		trouble_add(&d->t, TROUBLE_SWEEP_RUNNING, (struct trouble_at){ 0 }, "%zu of %zu switches were not asked yet", never, d->n);
}

/* ---- what the operator says of ports */

static bool
has_port(const struct sw *sw, const char *name)
{
	uint64_t number;
	bool is_index = num_parse(name, 1, UINT32_MAX, &number) == 0;

	for (size_t i = 0; i < sw->n_ports; i++)
		if (strcmp(sw->ports[i].name, name) == 0 || (is_index && sw->ports[i].if_index == number))
			return true;
	return false;
}

static void
check_named(struct doctor *d, const struct sw *sw, const struct strlist *names, const char *key, enum trouble what)
{
	for (size_t i = 0; i < names->n; i++)
		if (!has_port(sw, names->v[i]))
			trouble_add(&d->t, what, (struct trouble_at){ .switch_name = sw->name, .port = names->v[i] },
			    "%s has no port \"%s\" that %s names", sw->name, names->v[i], key);
}

/* Only where the whole interface table was read: a port may be in the rest of it. */
static void
check_configured_ports(struct doctor *d, const struct sw *sw)
{
	if (sw->n_ports == 0 || !sw_is_reached(sw) || (sw->complete & ROW_BIT(ROW_IFACE)) == 0)
		return;
	check_named(d, sw, &sw->conf->uplinks, "uplinks", TROUBLE_UPLINK_NOT_THERE);
	check_named(d, sw, &sw->conf->access_ports, "access_ports", TROUBLE_ACCESS_PORT_NOT_THERE);
}

/* ---- links */

static void
check_port(struct doctor *d, const struct sw *sw, const struct port *p)
{
	const struct trouble_at at = { .switch_name = sw->name, .port = p->name, .if_index = p->if_index };

	if (p->why == REASON_CONFLICT_NEIGHBOUR || p->why == REASON_CONFLICT_MAC)
		trouble_add(&d->t, TROUBLE_PORT_CONFLICT, at, "on %s of %s somebody %s %s, which does not agree", p->name, sw->name,
		    p->why == REASON_CONFLICT_MAC ? "uses the address of" : "claims to be", p->towards != NULL ? p->towards->name : "another switch");
	else if (p->uplink && p->why == REASON_UPLINK_ONE_SIDED && p->towards != NULL && sw_is_reached(p->towards))
		trouble_add(&d->t, TROUBLE_LINK_ONE_SIDED, at, "%s of %s leads to %s by its own word only", p->name, sw->name, p->towards->name);
}

/* What is heard on one port; `is` NULL: several switches, it is a segment. */
struct heard { uint32_t if_index; const struct sw *is; };

static int
heard_compare(const void *a, const void *b)
{
	const struct heard *x = a, *y = b;

	return (x->if_index > y->if_index) - (x->if_index < y->if_index);
}

/* Per port of `sw` the polled switch that every neighbour there is, in the order of ports. NULL: out of memory. */
static struct heard *
heard_on(const struct sw *sw, size_t *n)
{
	struct heard *v = calloc(sw->n_neighbours + 1, sizeof *v);
	size_t all = 0, ports = 0;

	for (size_t i = 0; v != NULL && i < sw->n_neighbours; i++)
		if (sw->neighbour_is[i] != NULL)
			v[all++] = (struct heard){ sw->neighbours[i].neighbour.if_index, sw->neighbour_is[i] };
	if (all > 0)
		qsort(v, all, sizeof *v, heard_compare);
	for (size_t i = 0; i < all; i++) {
		if (ports == 0 || v[ports - 1].if_index != v[i].if_index)
			v[ports++] = v[i];
		else if (v[ports - 1].is != v[i].is)
			v[ports - 1].is = NULL;
	}
	*n = ports;
	return v;
}

/* All of `d->heard`, for check_both_ends(). False: out of memory. */
static bool
heard_everywhere(struct doctor *d)
{
	if ((d->heard = calloc(d->n + 1, sizeof *d->heard)) == NULL || (d->n_heard = calloc(d->n + 1, sizeof *d->n_heard)) == NULL)
		return false;
	for (size_t i = 0; i < d->n; i++)
		if ((d->heard[i] = heard_on(d->e->net.switches[i], &d->n_heard[i])) == NULL)
			return false;
	return true;
}

static void
heard_free(struct doctor *d)
{
	for (size_t i = 0; d->heard != NULL && i < d->n; i++)
		free(d->heard[i]);
	free(d->heard);
	free(d->n_heard);
}

/* NULL: none is polled, or they differ. */
static const struct sw *
only_neighbour(const struct doctor *d, const struct sw *sw, const struct port *p)
{
	const struct heard key = { .if_index = p->if_index };
	const struct heard *h = bsearch(&key, d->heard[sw->index], d->n_heard[sw->index], sizeof key, heard_compare);

	return h != NULL ? h->is : NULL;
}

/* `sw` hears `other`, which says that it speaks from a port where it hears a third switch. To find that port means to look at all of
 * `other`: a switch that says so of many on large ones is looked at until that was enough. */
static void
check_both_ends(struct doctor *d, const struct sw *sw)
{
	size_t effort = 0;

	for (size_t i = 0; i < sw->n_neighbours && effort < LOOKED_AT; i++) {
		const struct row_neighbour *nb = &sw->neighbours[i].neighbour;
		const struct sw *other = sw->neighbour_is[i], *third;
		const struct port *p = other != NULL && other != sw ? sw_port(sw, nb->if_index) : NULL, *q;

		if (p == NULL || only_neighbour(d, sw, p) != other)
			continue;
		effort += other->n_ports + other->n_neighbours;
		if ((q = port_named(other, nb)) == NULL || (third = only_neighbour(d, other, q)) == NULL || third == sw)
			continue;
		trouble_add(&d->t, TROUBLE_LINK_CONTRADICTED, (struct trouble_at){ .switch_name = sw->name, .port = p->name,
		    .if_index = p->if_index }, "%s of %s hears %s of %s, which hears %s there", p->name, sw->name, q->name, other->name, third->name);
	}
}

static void
mark_linked(void *arg, const struct link *l)
{
	bool *linked = arg;

	linked[l->a->index] = true;
	if (l->b != NULL)
		linked[l->b->index] = true;
}

/* A switch alone on its own is no mistake where no switch has a link, and not to be known before all were read. */
static void
check_alone(struct doctor *d)
{
	bool *linked = calloc(d->n + 1, sizeof *linked), any = false;

	if (linked == NULL || !d->e->swept || d->e->net.topology_stale) {
		free(linked);
		return;
	}
	links_walk(d->sorted, d->n, mark_linked, linked);
	for (size_t i = 0; i < d->n; i++)
		any |= linked[i];
	for (size_t i = 0; i < d->n && any; i++)
		if (!linked[d->sorted[i]->index] && sw_is_reached(d->sorted[i]))
			trouble_add(&d->t, TROUBLE_SWITCH_WITHOUT_UPLINK, (struct trouble_at){ .switch_name = d->sorted[i]->name },
			    "%s has no uplink while others have: nothing is known of where it hangs", d->sorted[i]->name);
	free(linked);
}

static void
count_one(void *arg, const struct sw *sw, const struct row_neighbour *nb)
{
	size_t *count = arg;

	(void)sw, (void)nb;
	++*count;
}

static void
check_blind_spots(struct doctor *d)
{
	size_t count = 0;

	for (size_t i = 0; i < d->n; i++)
		unpolled_walk(d->sorted[i], count_one, &count);
	if (count > 0)
		trouble_add(&d->t, TROUBLE_BLIND_SPOTS, (struct trouble_at){ 0 }, "%zu neighbour%s a switch that nobody polls", count,
		    count == 1 ? " is" : "s are");
}

/* ---- two switches that cannot be told apart */

static struct mac
bridge_of(const struct sw *sw)
{
	struct mac bridge = { { 0 } };
	struct row_ref ref;
	size_t at = 0;
	struct row r;

	/* The row of the system is the first one. */
	if (rowset_next(&sw->table.rest, &at, &ref) && ref.p[0] == ROW_SYSTEM && row_unpack(ref.p, ref.n, &r) == 0) {
		bridge = r.system.bridge;
		row_free(&r);
	}
	return bridge;
}

struct named { char text[80]; const struct sw *sw; };

static int
named_compare(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int by_text = strcmp(x->text, y->text);

	return by_text != 0 ? by_text : strcmp(x->sw->name, y->sw->name);
}

static void
address_put(const struct sw *sw, char out[static 80])
{
	ip_port_text(&sw->conf->address, 161, out);
}

static void
bridge_put(const struct sw *sw, char out[static 80])
{
	struct mac m = bridge_of(sw);

	if (!mac_is_zero(m))
		mac_text(m, out);
}

static void
sys_name_put(const struct sw *sw, char out[static 80])
{
	text_cut(out, 80, sw->sys_name);
}

/* Each switch that says the same as the one before it in order; "" is nothing to compare. */
static void
check_same(struct doctor *d, void (*put)(const struct sw *sw, char out[static 80]), enum trouble what, const char *words)
{
	struct named *v = calloc(d->n + 1, sizeof *v);

	for (size_t i = 0; v != NULL && i < d->n; i++) {
		v[i].sw = d->sorted[i];
		put(v[i].sw, v[i].text);
	}
	if (v != NULL)
		qsort(v, d->n, sizeof *v, named_compare);
	for (size_t i = 1; v != NULL && i < d->n; i++)
		if (v[i].text[0] != '\0' && strcmp(v[i].text, v[i - 1].text) == 0)
			trouble_add(&d->t, what, (struct trouble_at){ .switch_name = v[i].sw->name }, "%s and %s have the same %s %s",
			    v[i - 1].sw->name, v[i].sw->name, words, v[i].text);
	free(v);
}

/* ---- the document */

static void
check_switches(struct doctor *d)
{
	for (size_t i = 0; i < d->n; i++) {
		const struct sw *sw = d->sorted[i];

		check_state(d, sw);
		check_configured_ports(d, sw);
		for (size_t k = 0; k < sw->n_ports; k++)
			check_port(d, sw, &sw->ports[k]);
		check_both_ends(d, sw);
	}
	check_same(d, address_put, TROUBLE_SAME_ADDRESS, "address");
	check_same(d, bridge_put, TROUBLE_SAME_BRIDGE, "bridge address");
	check_same(d, sys_name_put, TROUBLE_SAME_SYSNAME, "sysName");
}

static void
check_all_but_switches(struct doctor *d)
{
	check_clock(d);
	check_processes(d);
	check_limits(d);
	check_registry(d);
	check_policies(d);
	check_receivers(d);
	check_sweep(d);
	check_alone(d);
	check_blind_spots(d);
}

/* Which credential works for how many switches: camtrapctl knows how good each one is, we are not told its secrets. */
static json_t *
credentials_json(const struct doctor *d)
{
	json_t *o = json_object();

	for (size_t i = 0; i < d->n; i++) {
		const char *name = d->sorted[i]->credential;

		if (name[0] != '\0')
			json_object_set_new(o, name, json_integer(json_integer_value(json_object_get(o, name)) + 1));
	}
	return o;
}

void
answer_doctor(struct engine *e, const struct msg_query *q, struct moment now)
{
	struct doctor d = { .e = e, .sorted = switches_sorted(e), .n = e->net.n_switches, .now = now, .t = troubles_new() };

	if (e->net.topology_stale)
		neighbours_resolve(&e->net);
	if (d.sorted == NULL || d.t.list == NULL || !heard_everywhere(&d)) {
		answer_error(e, q->id, "out of memory", NULL);
	} else {
		check_all_but_switches(&d);
		check_switches(&d);
		answer_send(e, q->id, json_pack("{s:i, s:O, s:I, s:o}", "version", 1, "findings", d.t.list, "omitted", (json_int_t)d.t.omitted,
		    "credentials", credentials_json(&d)));
	}
	heard_free(&d);
	json_decref(d.t.list);
	free(d.sorted);
}
