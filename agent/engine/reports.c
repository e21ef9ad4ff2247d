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
#define ROWS_NEEDED (ROW_BIT(ROW_FDB) | ROW_BIT(ROW_IFACE))	/* to tell what is there, and what is not */

enum { REFUSED_MAX = 2 };

struct incoming {
	struct incoming		*next;
	struct msg_report	 report;
	struct buf		 rows;
};

static void
resync(struct engine *e, struct sw *sw)
{
	sw->sum = 0;
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
	buf_free(&in->rows);
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
engine_report_rows(struct engine *e, uint64_t key, struct msg_in *rows)
{
	struct incoming *in = *incoming_of(e, key);

	if (in == NULL)
		return;
	if (in->rows.len + msg_in_left(rows) > INCOMING_MAX)
		in->rows.bad = true;
	put_bytes(&in->rows, rows->p, msg_in_left(rows));
}

/* At another address there may be another switch. */
static bool
is_another(const struct sw *sw)
{
	return sw->readdressed_at.ms != 0;
}

/* After a restart the same port may have another ifIndex: rows of both numberings beside each other would name wrong ports (P6). So
 * nothing is taken of a poll during which the switch restarted, nor, after one, of a poll that did not read ports and stations whole;
 * for ever it cannot be waited. */
static bool
numbers_may_differ(const struct sw *sw, const struct msg_report *r)
{
	bool since = is_another(sw) || (r->uptime_cs != 0 && r->uptime_cs < sw->uptime_cs);

	return sw->refused < REFUSED_MAX && (r->restarted || (since && (r->complete & ROWS_NEEDED) != ROWS_NEEDED));
}

/* The rows of such a poll were never read: what was known stays, and nothing of it is newly confirmed. */
static void
rows_refuse(struct engine *e, struct sw *sw, struct incoming *in)
{
	buf_free(&in->rows);
	in->report.rows = REPORT_NONE;
	in->report.sum = 0;
	in->report.complete = 0;
	in->report.state = SWITCH_INCOMPLETE;
	e->counters[CNT_REPORTS_REFUSED]++;
	if (sw->refused++ == 0)
		e->ops->poll_now(e->arg, sw->key);
}

/* The table after the report. 0; -EBADMSG: these are no rows; -ENOMEM. */
static int
table_after(struct engine *e, const struct sw *sw, struct incoming *in, struct swtable *after)
{
	size_t octets = in->rows.len;
	struct rowset rows;
	int rc = rowset_take(&rows, &in->rows);

	if (rc == 0)
		rc = swtable_of(after, &rows, &e->net.bad_rows);
	rowset_free(&rows);
	if (rc < 0 || in->report.complete == ROW_ALL || is_another(sw))
		return rc;
	/* What is kept of tables that are never read to their end, and show others each time, must not grow for ever. */
	if (octets + sw->table.rest.bytes.len + sw->table.fdb.n * ROW_FDB_OCTETS > INCOMING_MAX) {
		e->counters[CNT_TABLES_FORGOTTEN]++;
		log_warnx("%s: rows of incomplete tables are forgotten: there are too many", sw->name);
		return 0;
	}
	return swtable_keep(after, &sw->table, in->report.complete);
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
	for (size_t at = 0; at < sw->table.fdb.n; at++) {
		const struct row_fdb f = fdb_row(&sw->table.fdb, at);

		if (all || is_beside_neighbour(sw, f.if_index))
			mac_changed(e, f.mac);
	}
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

/* It stopped answering, or began to: what its table says of a station counts for less now, or for more. */
static void
state_set(struct engine *e, struct sw *sw, enum switch_state state, bool first)
{
	bool was = sw_is_reached(sw);

	net_state_set(&e->net, sw, state);
	if (was != sw_is_reached(sw) && !first)
		stations_changed(e, sw, true);
}

/* An answered poll: the table and what follows from it. 0; -EBADMSG: it is not about what we have; -ENOMEM. */
static int
table_apply(struct engine *e, struct sw *sw, struct incoming *in, struct moment now)
{
	const struct msg_report *r = &in->report;
	struct swtable after = { 0 };
	bool first = swtable_count(&sw->table) == 0;
	int rc;

	assert(r->key == sw->key && r->rows != REPORT_NONE);
	if (is_another(sw) && mono_since(sw->readdressed_at, r->began) < 0)
		return -EBADMSG;		/* it was asked at the address before */
	if (r->rows == REPORT_SAME)
		return r->sum != 0 && r->sum == sw->sum ? 0 : -EBADMSG;
	if ((rc = table_after(e, sw, in, &after)) == 0 && (sw->undescribed || sw->unplaced || !swtable_same(&sw->table, &after))) {
		const struct net_listener l = listener(e);
		int64_t at = mono_since(e->started, now.mono) * (1000 / SINCE_US);

		e->since = at > e->since ? at : e->since + 1;
		if ((rc = net_table_set(&e->net, sw, &after, e->since, &l)) == 0)
			table_changed(e, sw, first);
	}
	swtable_free(&after);
	if (rc == 0)
		sw->sum = r->sum;
	return rc;
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

/* It says what stations there are: to the end of its table, or once more not to the end of it. More cannot be had. */
static bool
is_read(const struct sw *sw, const struct msg_report *r)
{
	return r->rows != REPORT_NONE && ((r->complete & ROW_BIT(ROW_FDB)) != 0 || (sw->complete & ROW_BIT(ROW_FDB)) == 0);
}

void
engine_report_end(struct engine *e, uint64_t key, struct moment now)
{
	struct incoming **p = incoming_of(e, key);
	struct sw *sw = net_switch(&e->net, key);
	const struct msg_report *r;
	bool answered, complete, first;
	struct wall started;

	if (*p == NULL || sw == NULL)
		return;
	first = swtable_count(&sw->table) == 0;	/* all that it shows now is noted because it came */
	r = &(*p)->report;
	if (r->rows == REPORT_ROWS && numbers_may_differ(sw, r))
		rows_refuse(e, sw, *p);
	answered = r->state == SWITCH_OK || r->state == SWITCH_INCOMPLETE;
	complete = answered && (r->complete & ROWS_NEEDED) == ROWS_NEEDED;
	if (r->rows != REPORT_NONE && table_apply(e, sw, *p, now) < 0) {
		log_warnx("%s: a report is not about what is known, or there is no memory for it; asked for again", sw->name);
		e->counters[CNT_REPORTS_DROPPED]++;
		resync(e, sw);
		incoming_free(p);
		return;
	}
	e->counters[CNT_REPORTS]++;
	if (sw->state != r->state) {
		sw->state_dirty = true;
		if (sw->state != SWITCH_NEVER || r->state != SWITCH_OK)	/* that is told of all together */
			log_info("%s: %s -> %s%s%s", sw->name, switch_state_word(sw->state), switch_state_word(r->state),
			    r->error[0] != '\0' ? ": " : "", r->error);
	}
	started = r->started;
	sw->missed = r->missed;
	sw->attempts++;
	memcpy(sw->error, r->error, sizeof sw->error);
	memcpy(sw->credential, r->credential, sizeof sw->credential);
	if (r->rows != REPORT_NONE) {
		if (r->uptime_cs != 0)		/* what was known last is what the next one is held against */
			sw->uptime_cs = r->uptime_cs;
		sw->refused = 0;
		sw->readdressed_at = (struct mono){ 0 };
	}
	if (answered) {
		sw->polls++;
		sw->complete_polls += complete;
		if (is_read(sw, r))
			sw->read_from = r->began;
		sw->complete = r->complete;
		sw->polled_at = now.mono;
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
