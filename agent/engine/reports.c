/* agent/engine/reports.c: polls come in piece by piece; a whole one is applied, anything else is dropped and asked for again. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "base/text.h"
#include "engine/core.h"

#define INCOMING_MAX (64u << 20)	/* octets of one report (threat-model.md P2) */

struct incoming {
	struct incoming		*next;
	struct msg_report	 report;
	struct buf		 removed, added;
};

static void
resync(struct engine *e, struct sw *sw)
{
	sw->in_step = false;
	e->counters[CNT_RESYNCS]++;
	e->ops->resync(e->arg, sw->key);
}

static struct incoming **
incoming_of(struct engine *e, uint64_t key)
{
	struct incoming **p = &e->incoming;

	while (*p != NULL && (*p)->report.key != key)
		p = &(*p)->next;
	return p;
}

static void
incoming_free(struct incoming **p)
{
	struct incoming *in = *p;

	*p = in->next;
	buf_free(&in->removed);
	buf_free(&in->added);
	free(in);
}

void
engine_report_begin(struct engine *e, const struct msg_report *r, struct moment now)
{
	struct incoming **p = incoming_of(e, r->key), *in;

	(void)now;
	if (*p != NULL) {		/* its poller died in the middle of it */
		e->counters[CNT_REPORTS_DROPPED]++;
		incoming_free(p);
	}
	if (net_switch(&e->net, r->key) == NULL || (in = calloc(1, sizeof *in)) == NULL) {
		e->counters[CNT_REPORTS_DROPPED]++;
		return;
	}
	in->report = *r;
	in->next = e->incoming;
	e->incoming = in;
}

void
engine_report_rows(struct engine *e, uint64_t key, bool removed, struct msg_in *rows)
{
	struct incoming *in = *incoming_of(e, key);
	struct buf *b;

	if (in == NULL)
		return;
	b = removed ? &in->removed : &in->added;
	if (b->len + msg_in_left(rows) > INCOMING_MAX)
		b->bad = true;
	put_bytes(b, rows->p, msg_in_left(rows));
}

/* The table after the report. 0; -EBADMSG: it does not follow what we have; -ENOMEM. */
static int
table_after(struct engine *e, struct sw *sw, struct incoming *in, struct rowset *after)
{
	const struct msg_report *r = &in->report;
	struct rowset removed = { 0 }, added = { 0 };
	size_t strays = 0;
	int rc;

	if (in->removed.bad || in->added.bad)
		return -EBADMSG;
	if (r->snapshot)
		return in->removed.len > 0 ? -EBADMSG : rowset_take(after, &in->added);
	if (!sw->in_step || r->epoch != sw->epoch || r->sequence != sw->sequence + 1)
		return -EBADMSG;
	if ((rc = rowset_take(&removed, &in->removed)) == 0 && (rc = rowset_take(&added, &in->added)) == 0)
		rc = rowset_apply(&sw->table, &removed, &added, after, &strays);
	e->net.strays += strays;
	rowset_free(&removed);
	rowset_free(&added);
	return rc;
}

static bool
same_bytes(const struct rowset *a, const struct rowset *b)
{
	return a->bytes.len == b->bytes.len && (a->bytes.len == 0 || memcmp(a->bytes.p, b->bytes.p, a->bytes.len) == 0);
}

static bool
is_beside_neighbour(const struct sw *sw, uint32_t if_index)
{
	const struct port *p = sw_port(sw, sw_folded(sw, if_index));

	return p != NULL && p->has_neighbour && !p->uplink;
}

static void
stations_changed(struct engine *e, const struct sw *sw, bool all)
{
	struct row_ref ref;
	struct row_fdb f;

	for (size_t at = 0; rowset_next(&sw->table, &at, &ref);)
		if (row_fdb_unpack(ref.p, ref.n, &f) && (all || is_beside_neighbour(sw, f.if_index)))
			mac_changed(e, f.mac);
}

/* Besides the MACs that changed: those whose verdict depends on how many are on their port, or on a neighbour there. */
static void
table_changed(struct engine *e, struct sw *sw, bool first)
{
	sw->table_dirty = e->tables_dirty = true;
	neighbours_changed(e, sw);
	for (const struct finding *f = sw->findings; f != NULL; f = f->next_at)
		mac_changed(e, f->d.mac);
	if (sw->n_neighbours > 0 && !first)
		stations_changed(e, sw, false);
}

/* The next report of what we have already, with nothing in it. */
static bool
nothing_new(const struct sw *sw, const struct incoming *in)
{
	const struct msg_report *r = &in->report;

	return !r->snapshot && !sw->undescribed && in->removed.len == 0 && in->added.len == 0 && !in->removed.bad && !in->added.bad && sw->in_step &&
	    r->epoch == sw->epoch && r->sequence == sw->sequence + 1;
}

/* It stopped answering, or began to: what its table says of a station counts for less now, or for more. */
static void
state_set(struct engine *e, struct sw *sw, enum switch_state state, bool first)
{
	bool was = sw_is_reached(sw);

	net_state_set(&e->net, sw, state);
	if (was != sw_is_reached(sw) && !first)
		stations_changed(e, sw, true);
}

/* An answered poll: the table and what follows from it. */
static int
table_apply(struct engine *e, struct sw *sw, struct incoming *in, struct moment now)
{
	struct rowset after = { 0 };
	bool first = sw->table.count == 0;
	int rc;

	assert(in->report.key == sw->key);
	if (nothing_new(sw, in)) {
		sw->sequence = in->report.sequence;
		return 0;
	}
	rc = table_after(e, sw, in, &after);
	if (rc < 0) {
		rowset_free(&after);
		return rc;
	}
	if (!same_bytes(&sw->table, &after) || sw->undescribed) {
		const struct net_listener l = listener(e);
		int64_t at = mono_since(e->started, now.mono) * 1000;

		e->since = at > e->since ? at : e->since + 1;
		if ((rc = net_table_set(&e->net, sw, &after, e->since, &l)) < 0) {
			rowset_free(&after);
			return rc;
		}
		table_changed(e, sw, first);
	}
	rowset_free(&after);
	sw->epoch = in->report.epoch;
	sw->sequence = in->report.sequence;
	sw->in_step = true;
	return 0;
}

/* What follows is judged when ports and devices are (work()). */
static void
polled(struct engine *e, struct sw *sw, bool complete)
{
	sw->polled_complete |= complete;
	if (sw->polled_owed)
		return;
	sw->polled_owed = true;
	sw->next_owed = e->polled_owed;
	e->polled_owed = sw;
}

/* Every configured switch was asked once: from here places can be trusted, and baselines are taken. */
static void
sweep_judge(struct engine *e, struct moment now)
{
	if (e->swept)
		return;
	/* From where we looked last: whoever was asked once stays so. Switches come and go by reloads; then from the start. */
	for (; e->sweep_at < e->net.n_switches; e->sweep_at++)
		if (e->net.switches[e->sweep_at]->attempts == 0)
			return;
	e->swept = true;
	e->net.topology_stale = e->all_stale = true;
	e->topology_at = now.mono;
	for (size_t i = 0; i < e->net.n_switches; i++)
		if (e->net.switches[i]->polls > 0)
			polled(e, e->net.switches[i], false);
	work(e, now);
	if (e->policy == POLICY_SINCE_LAST_RUN)
		policies_remember(e, now);
	e->policy = POLICY_SAME;
	log_info("first sweep done: %zu switches asked, %zu stations, %zu restricted devices", e->net.n_switches, e->net.n_stations,
	    e->n_findings);
}

void
engine_report_end(struct engine *e, uint64_t key, struct moment now)
{
	const unsigned needed = ROW_BIT(ROW_FDB) | ROW_BIT(ROW_IFACE);
	struct incoming **p = incoming_of(e, key);
	struct sw *sw = net_switch(&e->net, key);
	const struct msg_report *r;
	bool answered, complete, first;
	struct wall started;

	if (*p == NULL || sw == NULL)
		return;
	first = sw->table.count == 0;		/* all that it shows now is noted because it came */
	r = &(*p)->report;
	answered = r->state == SWITCH_OK || r->state == SWITCH_INCOMPLETE;
	complete = answered && (r->complete & needed) == needed;
	if ((answered || (*p)->added.len > 0 || r->snapshot) && table_apply(e, sw, *p, now) < 0) {
		log_warnx("%s: a report does not follow the one before; asked for again", sw->name);
		e->counters[CNT_REPORTS_DROPPED]++;
		resync(e, sw);
		incoming_free(p);
		return;
	}
	e->counters[CNT_REPORTS]++;
	if (sw->state != r->state) {
		sw->state_dirty = true;
		log_info("%s: %s -> %s%s%s", sw->name, switch_state_word(sw->state), switch_state_word(r->state),
		    r->error[0] != '\0' ? ": " : "", r->error);
	}
	started = r->started;
	sw->missed = r->missed;
	sw->attempts++;
	memcpy(sw->error, r->error, sizeof sw->error);
	memcpy(sw->credential, r->credential, sizeof sw->credential);
	if (answered) {
		sw->polls++;
		sw->complete_polls += complete;
		sw->complete = r->complete;
		sw->uptime_cs = r->uptime_cs;
		sw->last_poll = e->last_poll = r->finished;
		if (complete)
			sw->last_complete = r->finished;
	}
	state_set(e, sw, r->state, first);
	sw->dirty = true;
	incoming_free(p);
	if (answered)
		polled(e, sw, complete);
	work(e, now);
	detect_reachability(e, sw, now);
	sweep_judge(e, now);
	answer_polled(e, sw, started, now);
}


void
report_forget(struct engine *e, uint64_t key)
{
	struct incoming **p = incoming_of(e, key);

	if (*p != NULL)
		incoming_free(p);
}

void
reports_free(struct engine *e)
{
	while (e->incoming != NULL)
		incoming_free(&e->incoming);
}
