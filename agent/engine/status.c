/* agent/engine/status.c: the documents `status` and `switches`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/num.h"
#include "base/text.h"
#include "engine/answer.h"

static json_t *
outbox_json(const struct engine *e)
{
	static const char *const states[] = { [RECEIVER_UP] = "up", [RECEIVER_DOWN] = "down", [RECEIVER_REFUSED] = "refused" };
	json_t *list = json_array();
	struct outbox_figures f;

	for (size_t i = 0; outbox_figures(e->outbox, i, &f); i++)
		json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:o, s:o}", "receiver", f.receiver, "type",
		    f.orphan ? "not configured" : f.inform ? "inform" : "trap", "queued", (json_int_t)f.queued, "inFlight",
		    (json_int_t)f.in_flight, "state", states[f.state], "delivered", (json_int_t)f.delivered, "timedOut",
		    (json_int_t)f.timed_out, "refused", (json_int_t)f.refused, "expired", (json_int_t)f.expired, "oldest", time_json(f.oldest),
		    "lastFailure", text_or_null(f.last_failure)));
	return list;
}

static json_t *
processes_json(const struct engine *e)
{
	static const char *const words[] = { "?", "starting", "up", "waiting" };
	json_t *list = json_array();

	for (size_t i = 0; i < e->n_roles; i++) {
		const struct msg_role *r = &e->roles[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:o, s:I, s:b, s:b, s:o}", "name", r->who, "state",
		    words[r->state < nitems(words) ? r->state : 0], "pid", number_or_null(r->pid), "restarts", (json_int_t)r->restarts,
		    "looping", r->looping, "filtered", r->filtered, "since", time_json(r->since)));
	}
	return list;
}

static json_t *
reload_json(const struct engine *e)
{
	if (e->reload.at.us == 0)
		return json_null();
	return json_pack("{s:o, s:s, s:o}", "at", time_json(e->reload.at), "result", e->reload.ok ? "ok" : "refused", "why",
	    text_or_null(e->reload.why));
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

static void
count_credential(const struct map *by_name, const struct conf *c, uint32_t *counts, const char *name)
{
	const struct conf_credential *cred = map_get(by_name, hash_bytes(name, strlen(name)));

	if (cred != NULL && str_eq(cred->name, name))
		counts[cred - c->credentials]++;
}

/* With each the switches that answered to it at their last poll. */
static json_t *
credentials_json(const struct engine *e)
{
	const struct conf *c = e->conf;
	uint32_t *counts = calloc(c->n_credentials + 1, sizeof *counts);
	struct map by_name = { 0 };
	json_t *list = json_array();

	for (size_t i = 0; i < c->n_credentials && counts != NULL; i++)
		if (map_put(&by_name, hash_bytes(c->credentials[i].name, strlen(c->credentials[i].name)), &c->credentials[i]) < 0)
			break;
	for (size_t i = 0; i < e->net.n_switches && counts != NULL; i++)
		count_credential(&by_name, c, counts, e->net.switches[i]->credential);
	for (size_t i = 0; i < c->n_credentials; i++) {
		const struct conf_credential *cred = &c->credentials[i];

		json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:o, s:I}", "name", cred->name, "version",
		    conf_version_text(cred->version), "weak", conf_weakness(cred) != NULL, "why", text_or_null(conf_weakness(cred)), "switches", (json_int_t)(counts != NULL ? counts[i] : 0)));
	}
	map_free(&by_name);
	free(counts);
	return list;
}

static json_t *
counters_json(const struct engine *e)
{
	static const char *const names[] = { "reports", "reportsDropped", "resyncs", "events", "storeFailures", "alarmsInFloods",
		"pollsAsked", "eventsDropped", "findingsRefused", "movesDamped", "conflictsUntold", "eventsFromMemory", "messagesDropped", "answersStray",
		"outboxRowsLate", "reportsRefused", "tablesForgotten" };
	_Static_assert(nitems(names) == CNT_N, "each counter has its name");
	json_t *o = json_object(), *poller = json_object();

	for (size_t i = 0; i < nitems(names); i++)
		json_object_set_new(o, names[i], json_integer((json_int_t)e->counters[i]));
#define SUM(name, help) {									\
		uint64_t sum = 0;									\
		for (size_t i = 0; i < nitems(e->polled); i++)					\
			sum += e->polled[i].name;							\
		json_object_set_new(poller, #name, json_integer((json_int_t)sum));	\
	}
	POLLER_COUNTERS(SUM)
#undef SUM
	json_object_set_new(o, "poller", poller);
	json_object_set_new(o, "eventsInMemory", json_integer((json_int_t)e->unsaved.n_events));
	json_object_set_new(o, "transactions", json_integer((json_int_t)store_transactions(e->store)));
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

json_t *
status_json(struct engine *e, struct moment now)
{
	uint32_t state[SWITCH_NEVER + 1] = { 0 }, presence[PRESENCE_GONE + 1] = { 0 }, open = 0, asked = 0, interval_s = 0;
	struct wall complete = now.wall;	/* the oldest of the last complete polls; 0: a switch had none */
	struct buf id = { 0 };
	char hex[80] = "";
	json_t *o = json_object();

	for (size_t i = 0; i < e->net.n_switches; i++) {
		state[e->net.switches[i]->state]++;
		asked += e->net.switches[i]->attempts > 0;
		if (e->net.switches[i]->last_complete.us < complete.us)
			complete = e->net.switches[i]->last_complete;
		if (e->net.switches[i]->conf->poll_interval_s > interval_s)
			interval_s = e->net.switches[i]->conf->poll_interval_s;
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
	json_object_set_new(o, "processes", processes_json(e));
	json_object_set_new(o, "reload", reload_json(e));
	json_object_set_new(o, "switches", json_pack("{s:I, s:i, s:i, s:i, s:i, s:i}", "total", (json_int_t)e->net.n_switches, "ok",
	    state[SWITCH_OK], "unreachable", state[SWITCH_UNREACHABLE], "authFailed", state[SWITCH_AUTH_FAILED], "incomplete",
	    state[SWITCH_INCOMPLETE], "never", state[SWITCH_NEVER]));
	json_object_set_new(o, "firstSweep", json_pack("{s:i, s:I}", "done", asked, "total", (json_int_t)e->net.n_switches));
	json_object_set_new(o, "pollIntervalSeconds", number_or_null(interval_s));
	json_object_set_new(o, "lastPoll", time_json(e->last_poll));
	json_object_set_new(o, "lastCompleteSweep", time_json(e->net.n_switches > 0 ? complete : (struct wall){ 0 }));
	json_object_set_new(o, "stations", json_integer((json_int_t)e->net.n_stations));
	json_object_set_new(o, "devices", json_pack("{s:i, s:i, s:i, s:i}", "present", presence[PRESENCE_PRESENT], "stale",
	    presence[PRESENCE_STALE], "gone", presence[PRESENCE_GONE], "open", open));
	json_object_set_new(o, "outbox", outbox_json(e));
	json_object_set_new(o, "latencyMs", latency_json(e));
	json_object_set_new(o, "registry", registry_json(e));
	json_object_set_new(o, "policies", policies_json(e));
	json_object_set_new(o, "credentials", credentials_json(e));
	json_object_set_new(o, "engineId", text_or_null(hex));
	json_object_set_new(o, "store", json_string(in_memory(e) ? "failing" : "ok"));
	json_object_set_new(o, "counters", counters_json(e));
	return o;
}

/* ---- switches */

/* NULL: no aggregate. */
static json_t *
members_json(const struct sw *sw, const struct port *p)
{
	json_t *list = NULL;

	for (size_t i = 0; i < sw->members.n; i++) {
		const struct member *m = &sw->members.v[i];
		const struct port *member = m->aggregate == p->if_index ? sw_port(sw, m->if_index) : NULL;

		if (member == NULL)
			continue;
		if (list == NULL)
			list = json_array();
		json_array_append_new(list, json_string(member->name));
	}
	return list;
}

const char *
uplink_reason(const struct port *p, char out[static 128])
{
	text_printf(out, 128, p->towards != NULL ? "towards %.60s" : "by configuration", p->towards != NULL ? p->towards->name : "");
	return out;
}

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
		json_array_append_new(uplinks, json_pack("{s:s, s:I, s:s, s:s, s:o*}", "port", p->name, "ifIndex", (json_int_t)p->if_index,
		    "reasonCode", reason_word(p->why), "reason", uplink_reason(p, why), "members", members_json(sw, p)));
	}
	return json_pack("{s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:I, s:o, s:o, s:o, s:I}", "name", sw->name, "address",
	    ip_port_text(&sw->conf->address, 161, address), "site", text_or_null(sw->conf->site), "location",
	    text_or_null(sw->conf->location), "state", switch_state_word(sw->state), "lastPoll", time_json(sw->last_poll),
	    "lastComplete", time_json(sw->last_complete), "baseline", time_json(sw->baseline_at), "fdbRows", (json_int_t)sw->table.fdb.n,
	    "uplinks", uplinks, "credential", text_or_null(sw->credential), "error", text_or_null(sw->error), "pollIntervalSeconds",
	    (json_int_t)sw->conf->poll_interval_s);
}

static int
switch_order(const void *a, const void *b)
{
	const struct sw *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

struct sw **
switches_sorted(const struct engine *e)
{
	struct sw **sorted = calloc(e->net.n_switches + 1, sizeof(struct sw *));

	if (sorted != NULL && e->net.n_switches > 0) {
		memcpy(sorted, e->net.switches, e->net.n_switches * sizeof *sorted);
		qsort(sorted, e->net.n_switches, sizeof *sorted, switch_order);
	}
	return sorted;
}

void
answer_switches(struct engine *e, const struct msg_query *q)
{
	json_t *list = json_array();
	struct sw **sorted = switches_sorted(e);

	if (sorted == NULL) {
		json_decref(list);
		answer_error(e, q->id, "out of memory", NULL);
		return;
	}
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

