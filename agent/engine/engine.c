/* agent/engine/engine.c: the entry points: reports in, work that follows from them, what is due. */
#include "engine/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "base/text.h"
#include "engine/core.h"

#define BATCH_MS 250
#define TOUCH_MS 60000			/* a poll that changed nothing is written at most this often */
#define PRUNE_MS 3600000
#define INCOMING_MAX (64u << 20)	/* octets of one report (threat-model.md P2) */

struct incoming {
	struct incoming		*next;
	struct msg_report	 report;
	struct buf		 removed, added;
};

/* ---- work to do */

static void
mac_changed(void *arg, struct mac mac)
{
	struct engine *e = arg;

	if (array_grow((void **)&e->changed, e->n_changed, &e->cap_changed, sizeof *e->changed) < 0) {
		e->all_stale = true;	/* nothing is forgotten: all is looked at again */
		return;
	}
	e->changed[e->n_changed++] = mac_u64(mac);
}

static int
u64_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* A restricted device may show only as a neighbour: its addresses are looked at like those of the MAC tables. */
static void
neighbours_changed(struct engine *e, const struct sw *sw)
{
	for (size_t i = 0; i < sw->n_neighbours; i++) {
		struct mac mac;

		if (octets_mac(&sw->neighbours[i].neighbour.chassis, &mac) && !mac_is_group(mac))
			mac_changed(e, mac);
		if (octets_mac(&sw->neighbours[i].neighbour.port, &mac) && !mac_is_group(mac))
			mac_changed(e, mac);
	}
}

static void
look_at_all(struct engine *e)
{
	e->all_stale = false;
	for (size_t i = 0; i < e->net.n_slots; i++)
		if (e->net.slots[i].mac != 0)
			mac_changed(e, mac_of_u64(e->net.slots[i].mac));
	for (size_t i = 0; i < e->n_findings; i++)
		mac_changed(e, e->findings[i]->d.mac);
	for (size_t i = 0; i < e->net.n_switches; i++)
		neighbours_changed(e, e->net.switches[i]);
}

static struct told_conflict *
conflict_told(struct engine *e, uint64_t key, uint32_t if_index)
{
	for (size_t i = 0; i < e->n_conflicts; i++)
		if (e->conflicts[i].key == key && e->conflicts[i].if_index == if_index)
			return &e->conflicts[i];
	return NULL;
}

static void
conflict_tell(struct engine *e, const struct sw *sw, const struct port *p, struct moment now)
{
	struct told_conflict *c = conflict_told(e, sw->key, p->if_index);
	struct event ev;

	if (c != NULL) {
		c->still = true;
		return;
	}
	event_of_switch(e, sw, EVENT_CONFLICT, &ev);
	ev.if_index = p->if_index;
	memcpy(ev.port, p->name, sizeof ev.port);
	memcpy(ev.alias, p->alias, sizeof ev.alias);
	snprintf(ev.reason, sizeof ev.reason, "%s", reason_word(p->why));
	snprintf(ev.text, sizeof ev.text, "%.32s %.24s: something there claims to be %.32s, which does not agree", sw->name, p->name,
	    p->towards != NULL ? p->towards->name : "a polled switch");
	if (array_grow((void **)&e->conflicts, e->n_conflicts, &e->cap_conflicts, sizeof *e->conflicts) == 0 &&
	    event_commit(e, &ev, NULL, NULL, now) == 0)
		e->conflicts[e->n_conflicts++] = (struct told_conflict){ sw->key, p->if_index, true };
}

static void
conflicts_tell(struct engine *e, struct moment now)
{
	size_t kept = 0;

	for (size_t i = 0; i < e->n_conflicts; i++)
		e->conflicts[i].still = false;
	for (size_t i = 0; i < e->net.n_switches; i++) {
		const struct sw *sw = e->net.switches[i];

		for (size_t k = 0; k < sw->n_ports; k++)
			if (sw->ports[k].why == REASON_CONFLICT_NEIGHBOUR || sw->ports[k].why == REASON_CONFLICT_MAC)
				conflict_tell(e, sw, &sw->ports[k], now);
	}
	for (size_t i = 0; i < e->n_conflicts; i++)
		if (e->conflicts[i].still)
			e->conflicts[kept++] = e->conflicts[i];
	e->n_conflicts = kept;
}

static void
work(struct engine *e, struct moment now)
{
	uint64_t *macs;
	size_t n;

	if (e->ports_stale) {
		e->ports_stale = false;
		if (uplinks_decide(&e->net)) {
			e->all_stale = true;
			if (e->swept)
				conflicts_tell(e, now);
		}
	}
	if (e->all_stale)
		look_at_all(e);
	macs = e->changed;
	n = e->n_changed;
	e->changed = NULL;
	e->n_changed = e->cap_changed = 0;
	if (n > 0)
		qsort(macs, n, sizeof *macs, u64_compare);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || macs[i] != macs[i - 1])
			detect_mac(e, mac_of_u64(macs[i]), now);
	free(macs);
}

/* ---- reports */

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
		return in->removed.len > 0 ? -EBADMSG : rowset_load(after, in->added.p, in->added.len);
	if (!sw->in_step || r->epoch != sw->epoch || r->sequence != sw->sequence + 1)
		return -EBADMSG;
	if ((rc = rowset_load(&removed, in->removed.p, in->removed.len)) == 0 &&
	    (rc = rowset_load(&added, in->added.p, in->added.len)) == 0)
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

/* An answered poll: the table and what follows from it. */
static int
table_apply(struct engine *e, struct sw *sw, struct incoming *in)
{
	struct rowset after = { 0 };
	int rc = table_after(e, sw, in, &after);

	if (rc < 0) {
		rowset_free(&after);
		return rc;
	}
	if (!same_bytes(&sw->table, &after)) {
		if ((rc = net_table_set(&e->net, sw, &after, in->report.finished, mac_changed, e)) < 0) {
			rowset_free(&after);
			return rc;
		}
		neighbours_changed(e, sw);
		e->ports_stale = true;
		sw->table_dirty = true;
	}
	rowset_free(&after);
	sw->epoch = in->report.epoch;
	sw->sequence = in->report.sequence;
	sw->in_step = true;
	return 0;
}

/* Every configured switch was asked once: from here places can be trusted, and baselines are taken. */
static void
sweep_judge(struct engine *e, struct moment now)
{
	struct wall oldest = now.wall;
	bool every = e->net.n_switches > 0;

	for (size_t i = 0; i < e->net.n_switches; i++) {
		const struct sw *sw = e->net.switches[i];

		if (sw->attempts == 0)
			return;
		every &= sw->last_complete.us != 0;
		if (sw->last_complete.us < oldest.us)
			oldest = sw->last_complete;
	}
	if (every)
		e->last_complete_sweep = oldest;
	if (e->swept)
		return;
	e->swept = true;
	e->ports_stale = e->all_stale = true;
	work(e, now);
	for (size_t i = 0; i < e->net.n_switches; i++)
		if (e->net.switches[i]->polls > 0)
			detect_polled(e, e->net.switches[i], false, now);
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
	bool answered, complete;

	if (*p == NULL || sw == NULL)
		return;
	r = &(*p)->report;
	answered = r->state == SWITCH_OK || r->state == SWITCH_INCOMPLETE;
	complete = answered && (r->complete & needed) == needed;
	if ((answered || (*p)->added.len > 0 || r->snapshot) && table_apply(e, sw, *p) < 0) {
		log_warnx("%s: a report does not follow the one before; asked for again", sw->name);
		e->counters[CNT_REPORTS_DROPPED]++;
		resync(e, sw);
		incoming_free(p);
		return;
	}
	e->counters[CNT_REPORTS]++;
	if (sw->state != r->state)
		log_info("%s: %s -> %s%s%s", sw->name, switch_state_word(sw->state), switch_state_word(r->state),
		    r->error[0] != '\0' ? ": " : "", r->error);
	sw->state = r->state;
	sw->missed = r->missed;
	sw->attempts++;
	memcpy(sw->error, r->error, sizeof sw->error);
	memcpy(sw->credential, r->credential, sizeof sw->credential);
	if (answered) {
		sw->polls++;
		sw->complete_polls += complete;
		sw->complete = r->complete;
		sw->uptime_cs = r->uptime_cs;
		sw->last_poll = r->finished;
		if (complete)
			sw->last_complete = r->finished;
	}
	sw->dirty = true;
	incoming_free(p);
	work(e, now);
	detect_reachability(e, sw, now);
	if (answered)
		detect_polled(e, sw, complete, now);
	sweep_judge(e, now);
	answer_polled(e, sw, now);
}

/* ---- start, configuration, end */

static int
switch_loaded(void *arg, const struct store_switch *s)
{
	struct engine *e = arg;
	struct sw *sw = net_switch_named(&e->net, s->name);
	struct rowset table;

	if (sw == NULL)
		return 0;
	sw->number = s->number;
	sw->last_poll = s->last_poll;
	sw->last_complete = s->last_complete;
	sw->baseline_at = s->baseline_at;
	sw->unreachable_told = s->unreachable_told;
	sw->polls = s->polls;
	sw->complete_polls = s->last_complete.us != 0;
	if (s->table.len == 0)
		return 0;
	if (rowset_unpack(s->table.p, s->table.len, &table) < 0) {
		log_warnx("%s: its stored table is damaged and is read anew", sw->name);
		return 0;
	}
	if (net_table_set(&e->net, sw, &table, s->last_poll, mac_changed, e) < 0)
		rowset_free(&table);
	return 0;
}

static int
detection_loaded(void *arg, const struct detection *d)
{
	struct engine *e = arg;
	struct finding *f = finding_add(e, d);

	if (f == NULL)
		return -ENOMEM;
	f->held = !d->announced;
	return 0;
}

static int
outbox_loaded(void *arg, const struct outbox_row *r)
{
	struct engine *e = arg;

	return outbox_add(e->outbox, r) ? 0 : -ENOMEM;
}

static void
out_deliver(void *arg, const struct msg_deliver *m)
{
	struct engine *e = arg;

	e->ops->deliver(e->arg, m);
}

static void
out_random(void *arg, uint8_t *out, size_t n)
{
	struct engine *e = arg;

	e->ops->random(e->arg, out, n);
}

static int
out_settled(void *arg, uint64_t row)
{
	struct engine *e = arg;
	int rc = store_begin(e->store);

	if (rc == 0 && (rc = store_outbox_done(e->store, row, wall_now())) == 0)
		rc = store_commit(e->store);
	if (rc < 0) {
		store_rollback(e->store);
		e->counters[CNT_STORE_FAILURES]++;
	}
	return rc;
}

static const struct outbox_ops outbox_ops = { out_deliver, out_random, out_settled };

struct engine *
engine_new(struct conf *conf, struct registry *registry, struct store *store, const struct store_opened *opened,
    const struct engine_ops *ops, void *arg, struct moment now)
{
	struct engine *e = calloc(1, sizeof *e);
	struct event ev;
	char text[160];

	if (e == NULL)
		return NULL;
	*e = (struct engine){ .conf = conf, .registry = registry, .store = store, .ops = ops, .arg = arg, .epoch = opened->epoch,
		.started = now.mono, .started_wall = now.wall, .batch_at = now.mono, .heartbeat_at = now.mono,
		.prune_at = mono_add(now.mono, PRUNE_MS), .store_ok = true, .net = { .max_stations = conf->max_stations } };
	if ((e->outbox = outbox_new(&outbox_ops, e)) == NULL)
		goto fail;
	outbox_configure(e->outbox, conf);
	for (size_t i = 0; i < conf->n_switches; i++)
		if (net_switch_add(&e->net, &conf->switches[i]) == NULL)
			goto fail;
	if (store_switches(store, switch_loaded, e) < 0 || store_detections(store, detection_loaded, e) < 0 ||
	    store_outbox(store, outbox_loaded, e) < 0)
		goto fail;
	e->n_changed = 0;		/* what was known is looked at when the first sweep is done */
	e->ports_stale = true;
	if (opened->state_lost) {
		snprintf(text, sizeof text, "state lost: the broken database was moved to %.100s", opened->moved_to);
		event_of_agent(EVENT_AGENT_TROUBLE, SEVERITY_MAJOR, text, &ev);
		event_commit(e, &ev, NULL, NULL, now);
	}
	return e;
fail:
	e->conf = NULL;			/* stays the caller's */
	engine_free(e);
	return NULL;
}

void
engine_free(struct engine *e)
{
	if (e == NULL)
		return;
	while (e->incoming != NULL)
		incoming_free(&e->incoming);
	answer_free(e);
	for (size_t i = 0; i < e->n_findings; i++)
		free(e->findings[i]);
	free(e->findings);
	free(e->changed);
	free(e->conflicts);
	net_free(&e->net);
	outbox_free(e->outbox);
	conf_free(e->conf);
	free(e);
}

static void
switch_forget(struct engine *e, struct sw *sw)
{
	if (store_begin(e->store) < 0 || store_switch_forget(e->store, sw->name) < 0 || store_commit(e->store) < 0)
		store_rollback(e->store);
	log_info("%s: no longer configured", sw->name);
	net_switch_remove(&e->net, sw, mac_changed, e);
}

void
engine_configure(struct engine *e, struct conf *conf, struct registry *registry, struct moment now)
{
	struct conf *old = e->conf;

	e->registry = registry;
	e->conf = conf;
	outbox_configure(e->outbox, conf);
	for (size_t i = e->net.n_switches; i-- > 0;)
		if (conf_switch(conf, e->net.switches[i]->name) == NULL)
			switch_forget(e, e->net.switches[i]);
	for (size_t i = 0; i < conf->n_switches; i++) {
		struct sw *sw = net_switch_named(&e->net, conf->switches[i].name);

		if (sw == NULL && (sw = net_switch_add(&e->net, &conf->switches[i])) == NULL)
			continue;
		sw->conf = &conf->switches[i];
		net_ports_configure(sw);
	}
	conf_free(old);
	e->ports_stale = e->all_stale = true;
	work(e, now);
}

/* ---- deliveries, processes, questions */

void
engine_delivered(struct engine *e, const struct msg_delivered *m, struct moment now)
{
	const struct event *ev = outbox_result(e->outbox, m, now);

	if (ev == NULL)
		return;
	if (m->result == DELIVERY_ACKNOWLEDGED && ev->seen_at.us != 0 && now.wall.us > ev->seen_at.us)
		e->latency_ms[e->n_latency++ % nitems(e->latency_ms)] = (uint64_t)(now.wall.us - ev->seen_at.us) / 1000;
	answer_delivered(e, ev->id, m, now);
}

void
engine_notify_up(struct engine *e, bool up, struct moment now)
{
	(void)now;
	outbox_notify_up(e->outbox, up);
}

void
engine_process(struct engine *e, const struct msg_process *m, struct moment now)
{
	struct event ev;
	char text[160];

	snprintf(text, sizeof text, "process %.31s %.95s (restart %u)", m->who, m->why, m->restarts);
	event_of_agent(m->up ? EVENT_AGENT_RECOVERED : EVENT_AGENT_TROUBLE, m->up ? SEVERITY_INFO : SEVERITY_MAJOR, text, &ev);
	event_commit(e, &ev, NULL, NULL, now);
}

void
engine_query(struct engine *e, const struct msg_query *q, struct moment now)
{
	answer_query(e, q, now);
}

/* ---- what is due */

static int
switch_write(struct engine *e, struct sw *sw, struct moment now)
{
	struct store_switch s = { .number = sw->number, .last_poll = sw->last_poll, .last_complete = sw->last_complete,
		.baseline_at = sw->baseline_at, .polls = sw->polls, .uptime_cs = sw->uptime_cs, .state = (uint8_t)sw->state,
		.unreachable_told = sw->unreachable_told };
	int rc;

	memcpy(s.name, sw->name, sizeof s.name);
	if (sw->table_dirty)
		rowset_pack(&sw->table, &s.table);
	if ((rc = s.table.bad ? -ENOMEM : store_switch_put(e->store, &s)) == 0) {
		sw->number = s.number;
		sw->written = now.mono;
	}
	buf_free(&s.table);
	return rc;
}

static bool
switch_is_due(const struct sw *sw, struct moment now)
{
	return sw->table_dirty || (sw->dirty && (sw->written.ms == 0 || mono_since(sw->written, now.mono) >= TOUCH_MS));
}

static void
batch_write(struct engine *e, struct moment now, bool all)
{
	bool any = false;
	int rc = 0;

	for (size_t i = 0; i < e->net.n_switches && !any; i++)
		any = switch_is_due(e->net.switches[i], now) || (all && e->net.switches[i]->dirty);
	for (size_t i = 0; i < e->n_findings && !any; i++)
		any = e->findings[i]->dirty;
	if (!any)
		return;
	rc = store_begin(e->store);
	for (size_t i = 0; i < e->net.n_switches && rc == 0; i++)
		if (switch_is_due(e->net.switches[i], now) || (all && e->net.switches[i]->dirty))
			rc = switch_write(e, e->net.switches[i], now);
	for (size_t i = 0; i < e->n_findings && rc == 0; i++)
		if (e->findings[i]->dirty)
			rc = store_detection_put(e->store, &e->findings[i]->d);
	if (rc == 0)
		rc = store_commit(e->store);
	e->store_ok = rc == 0;
	if (rc < 0) {
		store_rollback(e->store);
		e->counters[CNT_STORE_FAILURES]++;
		return;
	}
	for (size_t i = 0; i < e->net.n_switches; i++) {
		struct sw *sw = e->net.switches[i];

		if (sw->written.ms == now.mono.ms)
			sw->dirty = sw->table_dirty = false;
	}
	for (size_t i = 0; i < e->n_findings; i++)
		e->findings[i]->dirty = false;
}

static void
heartbeat(struct engine *e, struct moment now)
{
	struct event ev;
	char text[160];
	uint32_t present = 0, unreachable = 0;

	for (size_t i = 0; i < e->n_findings; i++)
		present += e->findings[i]->d.presence == PRESENCE_PRESENT;
	for (size_t i = 0; i < e->net.n_switches; i++)
		unreachable += e->net.switches[i]->missed > 0;
	snprintf(text, sizeof text, "%zu switches, %u not answering, %u restricted devices present", e->net.n_switches, unreachable, present);
	event_of_agent(EVENT_HEARTBEAT, SEVERITY_INFO, text, &ev);
	ev.count = present;
	if (event_commit(e, &ev, NULL, NULL, now) == 0)
		e->heartbeat_at = mono_add(now.mono, (int64_t)e->conf->heartbeat_s * 1000);
	else
		e->heartbeat_at = mono_add(now.mono, 5000);
}

static int64_t
sooner(int64_t a, int64_t b)
{
	return b < a ? b : a;
}

int64_t
engine_tick(struct engine *e, struct moment now)
{
	int64_t next = 60000;

	if (e->ports_stale || e->all_stale || e->n_changed > 0)
		if (e->swept)
			work(e, now);
	if (mono_since(e->heartbeat_at, now.mono) >= 0)
		heartbeat(e, now);
	if (mono_since(e->batch_at, now.mono) >= 0) {
		batch_write(e, now, false);
		e->batch_at = mono_add(now.mono, BATCH_MS);
	}
	if (mono_since(e->prune_at, now.mono) >= 0) {
		struct wall before = { now.wall.us - (int64_t)e->conf->retention_s * 1000000 };

		if (store_begin(e->store) < 0 || store_prune(e->store, before) < 0 || store_commit(e->store) < 0)
			store_rollback(e->store);
		e->prune_at = mono_add(now.mono, PRUNE_MS);
	}
	next = sooner(next, detect_tick(e, now));
	next = sooner(next, answer_tick(e, now));
	next = sooner(next, outbox_tick(e->outbox, now));
	next = sooner(next, mono_since(now.mono, e->heartbeat_at));
	next = sooner(next, mono_since(now.mono, e->batch_at));
	return next < 1 ? 1 : next;
}
