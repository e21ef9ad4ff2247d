/* agent/engine/answer.c: what the engine says when views asks: documents of camtrapctl that need the state in memory. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "engine/core.h"
#include "engine/locate.h"

#define PIECE 48000
#define TEST_MS 15000
#define POLL_MS 60000

static json_t *
time_json(struct wall t)
{
	char text[WALL_TEXT];

	return t.us == 0 ? json_null() : json_string(wall_text(t, text));
}

static json_t *
text_or_null(const char *s)
{
	return s != NULL && s[0] != '\0' ? json_string(s) : json_null();
}

static json_t *
number_or_null(uint32_t v)
{
	return v != 0 ? json_integer(v) : json_null();
}

/* The whole text in pieces; the last one says so. Takes `doc` over. */
static void
answer_send(struct engine *e, uint32_t id, json_t *doc)
{
	char *text = doc != NULL ? json_dumps(doc, JSON_COMPACT) : NULL;
	const char *p = text != NULL ? text : "{\"version\":1,\"error\":\"out of memory\"}";
	size_t left = strlen(p);

	do {
		size_t n = left < PIECE ? left : PIECE;

		left -= n;
		e->ops->answer(e->arg, id, p, n, left > 0);
		p += n;
	} while (left > 0);
	free(text);
	json_decref(doc);
}

static void
answer_error(struct engine *e, uint32_t id, const char *what, const char *name)
{
	char text[400];

	snprintf(text, sizeof text, "%s%s%s%s", what, name != NULL ? " \"" : "", name != NULL ? name : "", name != NULL ? "\"" : "");
	answer_send(e, id, json_pack("{s:i, s:s}", "version", 1, "error", text));
}

/* ---- status */

static json_t *
outbox_json(const struct engine *e)
{
	json_t *list = json_array();
	struct outbox_figures f;

	for (size_t i = 0; outbox_figures(e->outbox, i, &f); i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I, s:s, s:I, s:I, s:I, s:o}", "receiver", f.receiver, "type",
		    f.orphan ? "not configured" : f.inform ? "inform" : "trap", "queued", (json_int_t)f.queued, "inFlight",
		    (json_int_t)f.in_flight, "state", f.down ? "down" : "up", "delivered", (json_int_t)f.delivered, "timedOut",
		    (json_int_t)f.timed_out, "refused", (json_int_t)f.refused, "oldest", time_json(f.oldest)));
	return list;
}

static json_t *
registry_json(const struct engine *e)
{
	json_t *list = json_array();
	size_t n;
	const struct registry_file *files = registry_files(e->registry, &n);

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_pack("{s:s, s:o, s:I}", "path", files[i].path, "dated", time_json(files[i].dated),
		    "entries", (json_int_t)files[i].entries));
	return list;
}

static json_t *
policies_json(const struct engine *e)
{
	json_t *list = json_array();

	for (size_t i = 0; i < e->conf->policies.n; i++) {
		const struct policy_set *s = &e->conf->policies.sets[i];

		json_array_append_new(list, json_pack("{s:s, s:o, s:I}", "name", s->name, "dated", text_or_null(s->dated), "rules",
		    (json_int_t)s->n));
	}
	return list;
}

static json_t *
counters_json(const struct engine *e)
{
	static const char *const names[] = { "reports", "reportsDropped", "resyncs", "events", "storeFailures", "alarmsInFloods",
		"pollsAsked" };
	json_t *o = json_object();

	for (size_t i = 0; i < nitems(names); i++)
		json_object_set_new(o, names[i], json_integer((json_int_t)e->counters[i]));
	json_object_set_new(o, "stationsRefused", json_integer((json_int_t)e->net.refused_stations));
	json_object_set_new(o, "rowsRefused", json_integer((json_int_t)e->net.bad_rows));
	return o;
}

static int
number_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static json_t *
latency_json(const struct engine *e)
{
	uint64_t sorted[nitems(e->latency_ms)];
	size_t n = e->n_latency < nitems(sorted) ? e->n_latency : nitems(sorted);

	if (n == 0)
		return json_null();
	memcpy(sorted, e->latency_ms, n * sizeof *sorted);
	qsort(sorted, n, sizeof *sorted, number_compare);
	return json_pack("{s:I, s:I, s:I, s:I}", "count", (json_int_t)e->n_latency, "p50", (json_int_t)sorted[n / 2], "p99",
	    (json_int_t)sorted[(n * 99 + 99) / 100 - 1], "max", (json_int_t)sorted[n - 1]);
}

static json_t *
status_json(struct engine *e, struct moment now)
{
	uint32_t state[SWITCH_NEVER + 1] = { 0 }, presence[PRESENCE_GONE + 1] = { 0 }, open = 0, asked = 0;
	struct buf id = { 0 };
	char hex[80] = "";
	json_t *o = json_object();

	for (size_t i = 0; i < e->net.n_switches; i++) {
		state[e->net.switches[i]->state]++;
		asked += e->net.switches[i]->attempts > 0;
	}
	for (size_t i = 0; i < e->n_findings; i++) {
		presence[e->findings[i]->d.presence]++;
		open += e->findings[i]->d.handling == HANDLING_OPEN && e->findings[i]->d.presence != PRESENCE_GONE;
	}
	if (store_meta_get(e->store, "engine-id", &id) == 0)
		text_hex(hex, sizeof hex, id.p, id.len);
	buf_free(&id);
	json_object_set_new(o, "version", json_integer(1));
	json_object_set_new(o, "agent", json_string(e->conf->name));
	json_object_set_new(o, "epoch", json_integer(e->epoch));
	json_object_set_new(o, "uptimeSeconds", json_integer(mono_since(e->started, now.mono) / 1000));
	json_object_set_new(o, "switches", json_pack("{s:I, s:i, s:i, s:i, s:i, s:i}", "total", (json_int_t)e->net.n_switches, "ok",
	    state[SWITCH_OK], "unreachable", state[SWITCH_UNREACHABLE], "authFailed", state[SWITCH_AUTH_FAILED], "incomplete",
	    state[SWITCH_INCOMPLETE], "never", state[SWITCH_NEVER]));
	json_object_set_new(o, "firstSweep", json_pack("{s:i, s:I}", "done", asked, "total", (json_int_t)e->net.n_switches));
	json_object_set_new(o, "lastCompleteSweep", time_json(e->last_complete_sweep));
	json_object_set_new(o, "stations", json_integer((json_int_t)e->net.n_stations));
	json_object_set_new(o, "devices", json_pack("{s:i, s:i, s:i, s:i}", "present", presence[PRESENCE_PRESENT], "stale",
	    presence[PRESENCE_STALE], "gone", presence[PRESENCE_GONE], "open", open));
	json_object_set_new(o, "outbox", outbox_json(e));
	json_object_set_new(o, "latencyMs", latency_json(e));
	json_object_set_new(o, "registry", registry_json(e));
	json_object_set_new(o, "policies", policies_json(e));
	json_object_set_new(o, "engineId", text_or_null(hex));
	json_object_set_new(o, "store", json_string(e->store_ok ? "ok" : "failing"));
	json_object_set_new(o, "counters", counters_json(e));
	return o;
}

/* ---- switches */

static json_t *
switch_json(const struct sw *sw)
{
	json_t *uplinks = json_array();
	char address[IP_TEXT];

	for (size_t i = 0; i < sw->n_ports; i++) {
		const struct port *p = &sw->ports[i];
		char why[128];

		if (!p->uplink)
			continue;
		snprintf(why, sizeof why, p->towards != NULL ? "towards %.60s" : "by configuration", p->towards != NULL ? p->towards->name : "");
		json_array_append_new(uplinks, json_pack("{s:s, s:I, s:s, s:s}", "port", p->name, "ifIndex", (json_int_t)p->if_index,
		    "reasonCode", reason_word(p->why), "reason", why));
	}
	return json_pack("{s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:I, s:o, s:o, s:o}", "name", sw->name, "address",
	    ip_port_text(&sw->conf->address, 161, address), "site", text_or_null(sw->conf->site), "location",
	    text_or_null(sw->conf->location), "state", switch_state_word(sw->state), "lastPoll", time_json(sw->last_poll),
	    "lastComplete", time_json(sw->last_complete), "baseline", time_json(sw->baseline_at), "fdbRows", (json_int_t)sw->fdb_rows,
	    "uplinks", uplinks, "credential", text_or_null(sw->credential), "error", text_or_null(sw->error));
}

static int
switch_order(const void *a, const void *b)
{
	const struct sw *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

static void
answer_switches(struct engine *e, const struct msg_query *q)
{
	json_t *list = json_array();
	struct sw **sorted = calloc(e->net.n_switches + 1, sizeof *sorted);

	if (sorted == NULL) {
		json_decref(list);
		answer_error(e, q->id, "out of memory", NULL);
		return;
	}
	memcpy(sorted, e->net.switches, e->net.n_switches * sizeof *sorted);
	qsort(sorted, e->net.n_switches, sizeof *sorted, switch_order);
	for (size_t i = 0; i < e->net.n_switches; i++)
		if (q->argument[0] == '\0' || strcmp(q->argument, sorted[i]->name) == 0)
			json_array_append_new(list, switch_json(sorted[i]));
	free(sorted);
	if (q->argument[0] != '\0' && json_array_size(list) == 0) {
		json_decref(list);
		answer_error(e, q->id, "no such switch", q->argument);
		return;
	}
	answer_send(e, q->id, json_pack("{s:i, s:o}", "version", 1, "switches", list));
}

/* ---- find */

static json_t *
place_json(const struct place *p)
{
	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "switch", text_or_null(p->switch_name), "ifIndex", number_or_null(p->if_index),
	    "port", text_or_null(p->port), "alias", text_or_null(p->alias), "vlan", number_or_null(p->vlan));
}

static json_t *
location_json(const struct location *l)
{
	json_t *o = place_json(&l->place), *candidates = json_array();

	for (size_t i = 0; i < l->n_candidates; i++)
		json_array_append_new(candidates, place_json(&l->candidates[i]));
	json_object_set_new(o, "verdict", json_string(verdict_word(l->verdict)));
	json_object_set_new(o, "reasonCode", json_string(reason_word(l->reason)));
	json_object_set_new(o, "reason", json_string(l->reason_text));
	json_object_set_new(o, "candidates", candidates);
	return o;
}

static json_t *
station_json(const struct engine *e, const struct station *st, const char *organisation)
{
	struct mac mac = mac_of_u64(st->mac);
	struct location l;
	char text[MAC_TEXT];
	json_t *seen = json_array();
	int64_t first = 0;
	struct wall last = { 0 };

	locate(&e->net, mac, &l);
	for (uint32_t i = 0; i < st->n; i++) {
		const struct sighting *s = &st->seen[i];
		const struct port *p = sw_port(s->sw, s->if_index);

		if (first == 0 || s->since_us < first)
			first = s->since_us;
		if (s->sw->last_poll.us > last.us)
			last = s->sw->last_poll;
		json_array_append_new(seen, json_pack("{s:s, s:o, s:o, s:o, s:s}", "switch", s->sw->name, "ifIndex",
		    number_or_null(s->if_index), "port", text_or_null(p != NULL ? p->name : NULL), "vlan", number_or_null(s->vlan),
		    "source", row_table_word(s->table)));
	}
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "mac", mac_text(mac, text), "vendor", text_or_null(organisation),
	    "location", location_json(&l), "firstSeen", time_json((struct wall){ first }), "lastSeen", time_json(last), "sightings", seen,
	    "history", json_array());
}

/* The hexadecimal digits of a MAC or a part of one, in any spelling; 0: the text is none. */
static size_t
mac_digits(const char *text, char out[static 13])
{
	size_t n = 0;

	for (; *text != '\0'; text++) {
		if (strchr(":-. ", *text) != NULL)
			continue;
		if (n == 12 || strchr("0123456789abcdefABCDEF", *text) == NULL)
			return 0;
		out[n++] = (char)(*text >= 'A' && *text <= 'F' ? *text + 32 : *text);
	}
	out[n] = '\0';
	return n >= 4 ? n : 0;
}

/* The MACs that an IP address belongs to, by the switches' ARP tables. */
static size_t
macs_of_ip(const struct engine *e, const struct ip *ip, uint64_t *out, size_t max)
{
	size_t n = 0;

	for (size_t i = 0; i < e->net.n_switches; i++) {
		const struct sw *sw = e->net.switches[i];
		struct row_ref ref;

		for (size_t at = 0; n < max && rowset_next(&sw->table, &at, &ref);) {
			struct row r;

			if (ref.p[0] != ROW_ARP || row_unpack(ref.p, ref.n, &r) < 0)
				continue;
			if (ip_eq(&r.arp.ip, ip))
				out[n++] = mac_u64(r.arp.mac);
		}
	}
	return n;
}

struct wanted { bool all; char digits[13]; uint64_t macs[64]; size_t n_macs; const char *text; };

static bool
station_matches(const struct wanted *w, const struct station *st, const char *organisation)
{
	char hex[13];

	if (w->all)
		return true;
	for (size_t i = 0; i < w->n_macs; i++)
		if (w->macs[i] == st->mac)
			return true;
	snprintf(hex, sizeof hex, "%012llx", (unsigned long long)st->mac);
	if (w->digits[0] != '\0' && strstr(hex, w->digits) != NULL)
		return true;
	return w->text[0] != '\0' && organisation != NULL && strcasestr(organisation, w->text) != NULL;
}

static int
station_order(const void *a, const void *b)
{
	const struct station *const *x = a, *const *y = b;

	return ((*x)->mac > (*y)->mac) - ((*x)->mac < (*y)->mac);
}

/* One station after the other, so that a million of them never stand in memory as one text. */
static void
answer_find(struct engine *e, const struct msg_query *q)
{
	struct wanted w = { .all = q->all, .text = q->argument };
	const struct station **hits = calloc(e->net.n_stations + 1, sizeof *hits);
	struct buf out = { 0 };
	struct ip ip;
	size_t n = 0;

	if (mac_digits(q->argument, w.digits) == 0)
		w.digits[0] = '\0';
	if (ip_parse(q->argument, &ip) == 0)
		w.n_macs = macs_of_ip(e, &ip, w.macs, nitems(w.macs));
	for (size_t i = 0; hits != NULL && i < e->net.n_slots; i++) {
		const struct station *st = &e->net.slots[i];

		if (st->mac != 0 && st->n > 0 && station_matches(&w, st, registry_lookup(e->registry, mac_of_u64(st->mac)).organisation))
			hits[n++] = st;
	}
	if (n > 0)
		qsort(hits, n, sizeof *hits, station_order);
	put_bytes(&out, "{\"version\":1,\"stations\":[", 25);
	for (size_t i = 0; i < n; i++) {
		json_t *one = station_json(e, hits[i], registry_lookup(e->registry, mac_of_u64(hits[i]->mac)).organisation);
		char *text = json_dumps(one, JSON_COMPACT);

		if (text != NULL) {
			if (i > 0)
				put_u8(&out, ',');
			put_bytes(&out, text, strlen(text));
		}
		free(text);
		json_decref(one);
		if (out.len > PIECE / 2) {
			for (size_t at = 0; at < out.len; at += PIECE)
				e->ops->answer(e->arg, q->id, (const char *)out.p + at, out.len - at < PIECE ? out.len - at : PIECE, true);
			buf_clear(&out);
		}
	}
	put_bytes(&out, "]}", 2);
	e->ops->answer(e->arg, q->id, (const char *)out.p, out.len, false);
	buf_free(&out);
	free(hits);
}

/* ---- orders that take time */

static void
wait_for(struct engine *e, const struct msg_query *q, int64_t ms, uint64_t key, const char *event_id, struct moment now)
{
	struct waiting *w = calloc(1, sizeof *w);

	if (w == NULL) {
		answer_error(e, q->id, "out of memory", NULL);
		return;
	}
	w->query = *q;
	w->key = key;
	text_cut(w->event_id, sizeof w->event_id, event_id);
	w->asked = now.mono;
	w->until = mono_add(now.mono, ms);
	w->next = e->waiting;
	e->waiting = w;
}

static void
answer_test(struct engine *e, const struct msg_query *q, struct moment now)
{
	struct event ev;

	for (size_t i = 0; i < e->conf->n_receivers; i++) {
		if (strcmp(e->conf->receivers[i].name, q->argument) != 0)
			continue;
		event_of_agent(EVENT_HEARTBEAT, SEVERITY_INFO, "test from camtrapctl", &ev);
		if (event_commit(e, &ev, q->argument, now) < 0)
			answer_error(e, q->id, "the test notification cannot be kept", NULL);
		else
			wait_for(e, q, TEST_MS, 0, ev.id, now);
		return;
	}
	answer_error(e, q->id, "no such receiver", q->argument);
}

void
answer_query(struct engine *e, const struct msg_query *q, struct moment now)
{
	struct sw *sw;

	if (strcmp(q->command, "status") == 0) {
		answer_send(e, q->id, status_json(e, now));
	} else if (strcmp(q->command, "switches") == 0) {
		answer_switches(e, q);
	} else if (strcmp(q->command, "find") == 0) {
		answer_find(e, q);
	} else if (strcmp(q->command, "test") == 0) {
		answer_test(e, q, now);
	} else if (strcmp(q->command, "poll") == 0) {
		if ((sw = net_switch_named(&e->net, q->argument)) == NULL) {
			answer_error(e, q->id, "no such switch", q->argument);
			return;
		}
		wait_for(e, q, POLL_MS, sw->key, "", now);
		e->ops->poll_now(e->arg, sw->key);
	} else {
		answer_error(e, q->id, "unknown command", q->command);
	}
}

static void
waiting_done(struct waiting **p)
{
	struct waiting *w = *p;

	*p = w->next;
	free(w);
}

void
answer_polled(struct engine *e, const struct sw *sw, struct moment now)
{
	for (struct waiting **p = &e->waiting; *p != NULL;) {
		if ((*p)->key != sw->key) {
			p = &(*p)->next;
			continue;
		}
		answer_send(e, (*p)->query.id, json_pack("{s:i, s:s, s:s, s:I, s:I, s:o}", "version", 1, "switch", sw->name, "state",
		    switch_state_word(sw->state), "rows", (json_int_t)sw->fdb_rows, "milliseconds",
		    (json_int_t)mono_since((*p)->asked, now.mono), "why", text_or_null(sw->error)));
		waiting_done(p);
	}
}

void
answer_delivered(struct engine *e, const char *event_id, const struct msg_delivered *m, struct moment now)
{
	static const char *const words[] = { "", "acknowledged", "sent", "timed out", "refused", "failed" };

	for (struct waiting **p = &e->waiting; *p != NULL;) {
		if ((*p)->event_id[0] == '\0' || strcmp((*p)->event_id, event_id) != 0) {
			p = &(*p)->next;
			continue;
		}
		answer_send(e, (*p)->query.id, json_pack("{s:i, s:s, s:s, s:I, s:s, s:o}", "version", 1, "receiver", (*p)->query.argument,
		    "result", words[m->result], "milliseconds", (json_int_t)mono_since((*p)->asked, now.mono), "eventId", event_id, "why",
		    text_or_null(m->why)));
		waiting_done(p);
	}
}

int64_t
answer_tick(struct engine *e, struct moment now)
{
	int64_t next = 60000;

	for (struct waiting **p = &e->waiting; *p != NULL;) {
		int64_t ms = mono_since(now.mono, (*p)->until);

		if (ms > 0) {
			next = ms < next ? ms : next;
			p = &(*p)->next;
			continue;
		}
		if ((*p)->event_id[0] != '\0')
			answer_send(e, (*p)->query.id, json_pack("{s:i, s:s, s:s, s:i, s:s}", "version", 1, "receiver",
			    (*p)->query.argument, "result", "timed out", "milliseconds", TEST_MS, "eventId", (*p)->event_id));
		else
			answer_error(e, (*p)->query.id, "no poll ended in time for", (*p)->query.argument);
		waiting_done(p);
	}
	return next;
}

void
answer_free(struct engine *e)
{
	while (e->waiting != NULL)
		waiting_done(&e->waiting);
}
