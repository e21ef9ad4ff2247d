/* agent/engine/engine.c: the life of the engine: what it loads, another configuration, what is due, what is written when. */
#include "engine/engine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "base/text.h"
#include "engine/answer.h"
#include "engine/core.h"

#define BATCH_MS 250
#define PRUNE_MS 3600000
#define CLOCK_DRIFT_MS 3600000
#define CLOCK_GAP_US (60ll * 86400 * 1000000)

/* ---- start, configuration, end */

static int
switch_loaded(void *arg, const struct store_switch *s)
{
	struct engine *e = arg;
	struct sw *sw = net_switch_named(&e->net, s->name);
	const struct net_listener nobody = { 0 };
	struct rowset rows;
	struct swtable table;

	if (sw == NULL)
		return 0;
	sw->number = s->number;
	sw->last_poll = sw->loaded_poll = s->last_poll;
	sw->uptime_cs = s->uptime_cs;
	sw->last_complete = s->last_complete;
	if (s->last_poll.us > e->last_poll.us)
		e->last_poll = s->last_poll;
	sw->baseline_at = s->baseline_at;
	sw->lost = sw->unreachable_told = s->unreachable_told;
	sw->polls = s->polls;
	sw->complete_polls = s->last_complete.us != 0;
	if (s->table.len == 0)
		return 0;
	if (rowset_unpack(s->table.p, s->table.len, &rows) < 0) {
		log_warnx("%s: its stored table is damaged and is read anew", sw->name);
		return 0;
	}
	/* When it was seen first is not known any more: time 0, and whatever comes now is newer. What finds no memory, the first poll brings. */
	if (swtable_of(&table, &rows, &e->net.bad_rows) == 0 && net_table_set(&e->net, sw, &table, 0, &nobody) < 0)
		swtable_free(&table);
	rowset_free(&rows);
	return 0;
}

static int
detection_loaded(void *arg, const struct detection *d)
{
	struct engine *e = arg;
	struct finding *f;

	if (finding_of(e, d->mac) != NULL)
		return 0;
	if ((f = finding_add(e, d)) == NULL)
		return -ENOMEM;
	f->held = !d->announced;
	f->made = 0;
	f->placed_since = is_placed(&d->location);	/* 1: any table of an earlier run */
	e->summaries_owed = e->summaries_owed || (d->announced && d->told == TOLD_NOT);
	return 0;
}

static int
outbox_loaded(void *arg, const struct outbox_row *r)
{
	struct engine *e = arg;

	return outbox_add(e->outbox, r, e->loading) ? 0 : -ENOMEM;
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
out_load(void *arg, uint64_t row, struct event *out)
{
	struct engine *e = arg;

	return (row & OUTBOX_UNSAVED) != 0 ? unsaved_event(e, row, out) : store_outbox_get(e->store, row, out);
}

static void
out_unsaved_done(void *arg, uint64_t row)
{
	unsaved_row_done(arg, row);
}

static const struct outbox_ops outbox_ops = { out_deliver, out_random, out_load, out_unsaved_done };

#define META_RELEARNING "re-learning"

/* A database that was lost is owed an alarm until that is on disk (store.h), and what is found again after it the word for that. */
static int
state_lost_load(struct engine *e)
{
	struct buf b = { 0 };
	int rc = store_meta_get(e->store, STORE_STATE_LOST, &b);

	if (rc == 0)
		text_clean(e->state_lost, sizeof e->state_lost, b.p, b.len);
	buf_clear(&b);
	if (rc == 0 || rc == -ENOENT)
		rc = store_meta_get(e->store, META_RELEARNING, &b);
	e->relearning = e->state_lost[0] != '\0' || b.len > 0;
	buf_free(&b);
	return rc == -ENOENT ? 0 : rc;
}

int
state_lost_save(struct engine *e, bool told)
{
	int rc;

	if (in_memory(e)) {
		e->unsaved.state_lost = true;
		return 0;
	}
	rc = store_meta_put(e->store, META_RELEARNING, "1", e->relearning);
	return rc == 0 && told ? store_meta_put(e->store, STORE_STATE_LOST, "", 0) : rc;
}

void
relearning_judge(struct engine *e, struct moment now)
{
	int rc;

	for (size_t i = 0; i < e->net.n_switches; i++)
		if (e->net.switches[i]->baseline_at.us == 0)
			return;
	if (!e->relearning)
		return;
	e->relearning = false;
	do {
		if ((rc = change_begin(e)) == 0)
			rc = state_lost_save(e, false);
	} while ((rc = change_end(e, rc, "that all is learned again", now)) == -EAGAIN);
	e->relearning = rc < 0;			/* with the next baseline */
}

static void
state_lost_tell(struct engine *e, struct moment now)
{
	struct event ev;
	char text[160];
	int rc;

	if (e->state_lost[0] == '\0')
		return;
	text_printf(text, sizeof text, "state lost: the broken database was moved to %s", e->state_lost);
	event_of_agent(EVENT_AGENT_TROUBLE, SEVERITY_MAJOR, text, &ev);
	do {
		if ((rc = change_begin(e)) == 0 && (rc = state_lost_save(e, true)) == 0)
			rc = change_event(e, &ev, NULL, now);
	} while ((rc = change_end(e, rc, "state lost", now)) == -EAGAIN);
	if (rc == 0)
		e->state_lost[0] = '\0';
}

static bool
is_precious(void *arg, struct mac mac)
{
	return detect_by_block(arg, mac);
}

struct engine *
engine_new(struct conf *conf, struct registry *registry, struct store *store, const struct store_opened *opened,
    const struct engine_ops *ops, void *arg, struct moment now)
{
	struct engine *e = calloc(1, sizeof *e);

	if (e == NULL)
		return NULL;
	*e = (struct engine){ .conf = conf, .registry = registry, .store = store, .ops = ops, .arg = arg, .epoch = opened->epoch,
		.started = now.mono, .started_wall = now.wall, .batch_at = now.mono, .heartbeat_at = now.mono,
		.prune_at = mono_add(now.mono, PRUNE_MS), .loading = now, .topology_at = now.mono, .passed_at = now.mono,
		.net = { .max_stations = conf->max_stations, .precious = is_precious, .arg = e, .topology_stale = true } };
	ops->random(arg, (uint8_t *)&e->net.seed, sizeof e->net.seed);
	e->net.owners.seed = e->net.heard.seed = e->by_mac.seed = e->net.seed;
	swtable_seed(e->net.seed);
	policies_taken(e);
	if ((e->outbox = outbox_new(&outbox_ops, e)) == NULL)
		goto fail;
	outbox_configure(e->outbox, conf);
	for (size_t i = 0; i < conf->n_switches; i++)
		if (net_switch_add(&e->net, &conf->switches[i]) == NULL)
			goto fail;
	if (store_switches(store, switch_loaded, e) < 0 || store_detections(store, detection_loaded, e) < 0 ||
	    store_outbox(store, outbox_loaded, e) < 0 || conflicts_load(e) < 0 || unsaved_load(e) < 0)
		goto fail;
	e->first_run = true;
	for (size_t i = 0; i < e->net.n_switches; i++)
		e->first_run = e->first_run && e->net.switches[i]->baseline_at.us == 0;
	(void)policies_change(e);
	if (policies_differ(e))
		e->policy = POLICY_SINCE_LAST_RUN;
	if (state_lost_load(e) < 0)
		goto fail;
	state_lost_tell(e, now);
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
	reports_free(e);
	answer_free(e);
	for (size_t i = 0; i < e->n_findings; i++)
		free(e->findings[i]);
	free(e->findings);
	free(e->changed);
	free(e->conflicts);
	free(e->pending);
	free(e->owed_events);
	map_free(&e->by_mac);
	map_free(&e->by_block);
	net_free(&e->net);
	unsaved_free(e);
	outbox_free(e->outbox);
	conf_free(e->conf);
	free(e);
}

static void
switch_forget(struct engine *e, struct sw *sw, struct moment now)
{
	const struct net_listener l = listener(e);
	int rc;

	/* While the disk fails its row stays: nobody reads it unless the switch comes back. */
	do {
		if ((rc = change_begin(e)) == 0 && !in_memory(e))
			rc = store_switch_forget(e->store, sw->name);
	} while (change_end(e, rc, "that a switch is gone", now) == -EAGAIN);
	log_info("%s: no longer configured", sw->name);
	answer_forget(e, sw, now);
	for (struct sw **at = &e->polled_owed; *at != NULL; at = &(*at)->next_owed)
		if (*at == sw) {
			*at = sw->next_owed;
			break;
		}
	detect_forget(e, sw);
	report_forget(e, sw->key);
	net_switch_remove(&e->net, sw, &l);
}

/* What answers there may be another switch, with its own numbers of ports: nothing is held against what the one before said, and
 * what was absent from that is not absent from this one. */
static void
switch_readdressed(struct sw *sw, struct moment now)
{
	log_info("%s: another address: it is read anew", sw->name);
	sw->readdressed_at = now.mono;
	sw->uptime_cs = 0;
	sw->refused = 0;
	sw->read_from = (struct mono){ 0 };
	for (struct finding *f = sw->findings; f != NULL; f = f->next_at)
		f->absent_polls = 0;
}

static bool
same_address(const struct ip_port *a, const struct ip_port *b)
{
	return ip_eq(&a->ip, &b->ip) && a->port == b->port;
}

void
engine_configure(struct engine *e, struct conf *conf, struct registry *registry, struct moment now)
{
	struct conf *old = e->conf;

	e->registry = registry;
	e->conf = conf;
	outbox_configure(e->outbox, conf);
	e->sweep_at = 0;
	for (size_t i = e->net.n_switches; i-- > 0;)
		if (conf_switch(conf, e->net.switches[i]->name) == NULL)
			switch_forget(e, e->net.switches[i], now);
	for (size_t i = 0; i < conf->n_switches; i++) {
		struct sw *sw = net_switch_named(&e->net, conf->switches[i].name);

		if (sw == NULL && (sw = net_switch_add(&e->net, &conf->switches[i])) == NULL)
			continue;
		if (!same_address(&sw->conf->address, &conf->switches[i].address))
			switch_readdressed(sw, now);
		sw->conf = &conf->switches[i];
		net_ports_configure(sw);
	}
	conf_free(old);
	policies_taken(e);
	e->net.max_stations = conf->max_stations;
	e->net.topology_stale = e->all_stale = true;
	e->topology_at = now.mono;
	if (policies_change(e)) {
		e->policy = e->policy == POLICY_SAME ? POLICY_NOW : e->policy;
		work(e, now);
		if (e->policy == POLICY_NOW) {
			e->policy = POLICY_SAME;
			policies_remember(e, now);
		}
	} else
		work(e, now);
}

/* ---- deliveries, processes, questions */

void
engine_delivered(struct engine *e, const struct msg_delivered *m, struct moment now)
{
	static long long said;
	const struct event *ev = outbox_result(e->outbox, m, now);

	if (ev == NULL) {
		e->counters[CNT_ANSWERS_STRAY]++;
		if (log_limit(&said))
			log_warnx("an answer of notify is about outbox row %llu, which is not in flight: dropped (%llu so far)",
			    (unsigned long long)m->row, (unsigned long long)e->counters[CNT_ANSWERS_STRAY]);
		return;
	}
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

	text_printf(text, sizeof text, "process %s %s (restart %u)", m->who, m->why, m->restarts);
	event_of_agent(m->up ? EVENT_AGENT_RECOVERED : EVENT_AGENT_TROUBLE, m->up ? SEVERITY_INFO : SEVERITY_MAJOR, text, &ev);
	event_owe(e, &ev, now);
}

void
engine_trouble(struct engine *e, const char *text, struct moment now)
{
	struct event ev;

	event_of_agent(EVENT_AGENT_TROUBLE, SEVERITY_MAJOR, text, &ev);
	event_owe(e, &ev, now);
}

void
engine_role(struct engine *e, const struct msg_role *m)
{
	size_t i = 0;

	while (i < e->n_roles && strcmp(e->roles[i].who, m->who) != 0)
		i++;
	if (i < ROLES_MAX)
		e->roles[i] = *m;
	e->n_roles += i == e->n_roles && i < ROLES_MAX;
}

void
engine_reload(struct engine *e, const struct msg_reload *m)
{
	e->reload = *m;
}

void
engine_counters(struct engine *e, unsigned poller, const struct msg_counters *m)
{
	if (poller < POLLERS_MAX)
		e->polled[poller] = *m;
}

void
engine_messages_dropped(struct engine *e, uint64_t n)
{
	e->counters[CNT_MESSAGES_DROPPED] = n;
}

void
engine_views_gone(struct engine *e)
{
	answer_free(e);
}

void
engine_query(struct engine *e, const struct msg_query *q, struct moment now)
{
	answer_query(e, q, now);
}

/* ---- what is due */

int
switch_write(struct engine *e, struct sw *sw, bool table)
{
	struct store_switch s = { .number = sw->number, .last_poll = sw->last_poll, .last_complete = sw->last_complete,
		.baseline_at = sw->baseline_at, .polls = sw->polls, .uptime_cs = sw->uptime_cs, .state = (uint8_t)sw->state,
		.unreachable_told = sw->unreachable_told };
	int rc;

	memcpy(s.name, sw->name, sizeof s.name);
	if (table && sw->table_dirty)
		swtable_pack(&sw->table, &s.table);
	if ((rc = s.table.bad ? -ENOMEM : store_switch_put(e->store, &s)) == 0)
		sw->number = s.number;
	buf_free(&s.table);
	return rc;
}

int
tables_write(struct engine *e)
{
	int rc = 0;

	if (!e->tables_dirty || in_memory(e))
		return 0;
	for (size_t i = 0; i < e->net.n_switches && rc == 0; i++)
		if (e->net.switches[i]->table_dirty)
			rc = switch_write(e, e->net.switches[i], true);
	return rc;
}

void
tables_written(struct engine *e)
{
	if (!e->tables_dirty || in_memory(e))
		return;
	for (size_t i = 0; i < e->net.n_switches; i++)
		if (e->net.switches[i]->table_dirty)
			e->net.switches[i]->dirty = e->net.switches[i]->state_dirty = e->net.switches[i]->table_dirty = false;
	e->tables_dirty = false;
}

/* The time of a poll that changed nothing is written with the heartbeat only. */
static bool
switch_is_due(const struct sw *sw, bool all)
{
	return sw->table_dirty || sw->state_dirty || (all && sw->dirty);
}

void
batch_write(struct engine *e, bool all, struct moment now)
{
	size_t n_done;
	const uint64_t *done = outbox_done(e->outbox, &n_done);
	bool any = n_done > 0;
	int rc = 0;

	for (size_t i = 0; i < e->net.n_switches && !any; i++)
		any = switch_is_due(e->net.switches[i], all);
	for (size_t i = 0; i < e->n_findings && !any; i++)
		any = e->findings[i]->dirty;
	if (!any || in_memory(e))
		return;
	rc = store_begin(e->store);
	for (size_t i = 0; i < n_done && rc == 0; i++)
		rc = store_outbox_done(e->store, done[i]);
	for (size_t i = 0; i < e->net.n_switches && rc == 0; i++)
		if (switch_is_due(e->net.switches[i], all))
			rc = switch_write(e, e->net.switches[i], true);
	for (size_t i = 0; i < e->n_findings && rc == 0; i++)
		if (e->findings[i]->dirty && e->findings[i]->d.id != 0)
			rc = store_detection_put(e->store, &e->findings[i]->d);
	if (rc == 0)
		rc = store_commit(e->store);
	if (rc < 0) {
		storage_failed(e, rc, now);
		store_rollback(e->store);
		return;
	}
	outbox_settled(e->outbox);
	e->tables_dirty = false;
	for (size_t i = 0; i < e->net.n_switches; i++)
		if (switch_is_due(e->net.switches[i], all))
			e->net.switches[i]->dirty = e->net.switches[i]->state_dirty = e->net.switches[i]->table_dirty = false;
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
	text_printf(text, sizeof text, "%zu switches, %u not answering, %u restricted devices present", e->net.n_switches, unreachable, present);
	event_of_agent(EVENT_HEARTBEAT, SEVERITY_INFO, text, &ev);
	ev.count = present;
	if (event_commit(e, &ev, NULL, now) == 0)
		e->heartbeat_at = mono_add(now.mono, (int64_t)e->conf->heartbeat_s * 1000);
	else
		e->heartbeat_at = mono_add(now.mono, 5000);
	batch_write(e, true, now);
}

void
engine_stop(struct engine *e, struct moment now)
{
	batch_write(e, true, now);
	storage_stop(e, now);
}

/* A clock that was set, or that begins this run far from the newest thing on record, throws no history away (threat-model.md S5). */
static bool
clock_is_sane(const struct engine *e, struct moment now)
{
	int64_t drift = (now.wall.us - e->started_wall.us) / 1000 - mono_since(e->started, now.mono);
	int64_t newest = 0;

	for (size_t i = 0; i < e->net.n_switches; i++)
		newest = e->net.switches[i]->loaded_poll.us > newest ? e->net.switches[i]->loaded_poll.us : newest;
	return drift > -CLOCK_DRIFT_MS && drift < CLOCK_DRIFT_MS && (newest == 0 || e->started_wall.us - newest < CLOCK_GAP_US);
}

/* Gone for as long as history is kept, and nobody has still to hear of it. A waiver is an order of a person: it stays. */
static bool
is_over(const struct finding *f, const void *arg)
{
	const struct wall *before = arg;

	return f->d.presence == PRESENCE_GONE && f->d.gone_at.us < before->us && f->d.handling != HANDLING_WAIVED && f->d.told != TOLD_NOT &&
	    !f->held && !f->dirty;
}

static int
prune_write(struct engine *e, struct wall before)
{
	int rc = store_begin(e->store);

	if (rc == 0)
		rc = store_prune(e->store, before);
	for (size_t i = 0; i < e->n_findings && rc == 0; i++)
		if (is_over(e->findings[i], &before))
			rc = store_detection_forget(e->store, e->findings[i]->d.id);
	return rc == 0 ? store_commit(e->store) : rc;
}

static void
prune(struct engine *e, struct moment now)
{
	struct wall before = { now.wall.us - (int64_t)e->conf->retention_s * 1000000 };
	int rc;

	if (!clock_is_sane(e, now)) {
		log_warnx("the clock was set or this daemon was off for long: no history is removed in this run");
		return;
	}
	if ((rc = prune_write(e, before)) == 0) {
		findings_remove(e, is_over, &before);
		return;
	}
	storage_failed(e, rc, now);
	store_rollback(e->store);
}

static void
overflows_tell(struct engine *e, struct moment now)
{
	struct outbox_overflow o;
	struct event ev;
	char text[160];

	while (outbox_overflow(e->outbox, &o)) {
		if (o.begun)
			text_printf(text, sizeof text, "queue overflow: %s was away for too long, %zu notifications wait for it and the first expire",
			    o.receiver, o.queued);
		else
			text_printf(text, sizeof text, "queue overflow over: %zu notifications wait for %s, %llu have expired since the start",
			    o.queued, o.receiver, (unsigned long long)o.expired);
		event_of_agent(o.begun ? EVENT_AGENT_TROUBLE : EVENT_AGENT_RECOVERED, o.begun ? SEVERITY_MAJOR : SEVERITY_INFO, text, &ev);
		event_owe(e, &ev, now);
	}
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
	bool decided = true;

	if (e->net.topology_stale || e->all_stale || e->conflicts_owed || e->polled_owed != NULL || e->n_changed > 0)
		decided = work(e, now);
	if (!decided)
		next = sooner(next, mono_since(now.mono, e->topology_at));
	if (mono_since(e->heartbeat_at, now.mono) >= 0)
		heartbeat(e, now);
	if (mono_since(e->batch_at, now.mono) >= 0) {
		batch_write(e, false, now);
		e->batch_at = mono_add(now.mono, BATCH_MS);
	}
	if (mono_since(e->prune_at, now.mono) >= 0 && !in_memory(e)) {
		prune(e, now);
		e->prune_at = mono_add(now.mono, PRUNE_MS);
	}
	if (decided) {
		next = sooner(next, detect_tick(e, now));
		next = sooner(next, summaries_tell(e, now));
	}
	next = sooner(next, storage_tick(e, now));
	next = sooner(next, owed_events_tell(e, now));
	state_lost_tell(e, now);
	next = sooner(next, answer_tick(e, now));
	next = sooner(next, outbox_tick(e->outbox, now));
	overflows_tell(e, now);
	next = sooner(next, mono_since(now.mono, e->heartbeat_at));
	next = sooner(next, mono_since(now.mono, e->batch_at));
	return next < 1 ? 1 : next;
}
