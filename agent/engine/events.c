/* agent/engine/events.c: from a finding, a switch or the agent to an event that is on disk before anybody is told. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "engine/core.h"

#define RECEIVERS_MAX 64

static void
event_place(const struct engine *e, const struct place *at, struct event *ev)
{
	const struct conf_switch *sw = conf_switch(e->conf, at->switch_name);

	memcpy(ev->switch_name, at->switch_name, sizeof ev->switch_name);
	memcpy(ev->port, at->port, sizeof ev->port);
	memcpy(ev->alias, at->alias, sizeof ev->alias);
	ev->if_index = at->if_index;
	ev->vlan = at->vlan;
	if (sw == NULL)
		return;
	ev->switch_address = sw->address.ip;
	if (sw->location != NULL)
		text_cut(ev->switch_location, sizeof ev->switch_location, sw->location);
}

static void
evidence_line(const struct detection *d, char *out, size_t size)
{
	char line[512];
	size_t n = (size_t)snprintf(line, sizeof line, "%s", d->maker_reason);

	for (size_t i = 0; i < d->n_evidence && n < sizeof line - 1; i++)
		if (strcmp(d->evidence[i].source, "registry") != 0)
			n += (size_t)snprintf(line + n, sizeof line - n, "; %s %s %.80s", d->evidence[i].source, d->evidence[i].key,
			    d->evidence[i].value);
	text_clean(out, size, line, strlen(line));
}

void
event_of_finding(const struct engine *e, const struct finding *f, enum event_type type, struct event *ev)
{
	const struct detection *d = &f->d;
	char mac[MAC_TEXT];

	memset(ev, 0, sizeof *ev);
	ev->type = type;
	ev->severity = d->severity;
	ev->detection_id = d->id;
	ev->mac = d->mac;
	memcpy(ev->vendor, d->vendor, sizeof ev->vendor);
	memcpy(ev->policy, d->policies, sizeof ev->policy);
	ev->confidence = d->confidence;
	ev->presence = d->presence;
	ev->handling = d->handling;
	ev->origin = d->origin;
	memcpy(ev->site, d->site, sizeof ev->site);
	event_place(e, &d->location.place, ev);
	ev->device_address = d->ip;
	ev->verdict = d->location.verdict;
	memcpy(ev->reason, d->location.reason_text, sizeof ev->reason);
	evidence_line(d, ev->evidence, sizeof ev->evidence);
	ev->seen_at = f->seen_at;
	snprintf(ev->text, sizeof ev->text, "%.24s %s %.48s at %.40s %.24s", event_word(type), mac_text(d->mac, mac), d->vendor,
	    d->location.place.switch_name[0] != '\0' ? d->location.place.switch_name : "(place unknown)", d->location.place.port);
}

void
event_of_switch(const struct engine *e, const struct sw *sw, enum event_type type, struct event *ev)
{
	struct place at = { 0 };

	memset(ev, 0, sizeof *ev);
	ev->type = type;
	ev->severity = SEVERITY_MAJOR;
	memcpy(at.switch_name, sw->name, sizeof at.switch_name);
	event_place(e, &at, ev);
	if (sw->conf->site != NULL)
		text_cut(ev->site, sizeof ev->site, sw->conf->site);
}

void
event_of_agent(enum event_type type, enum severity severity, const char *text, struct event *ev)
{
	memset(ev, 0, sizeof *ev);
	ev->type = type;
	ev->severity = severity;
	text_cut(ev->text, sizeof ev->text, text);
}

static int
event_write(struct engine *e, struct event *ev, const struct detection *d, const char *only, uint64_t *rows)
{
	int rc = store_next(e->store, COUNTER_EVENT, &ev->sequence);

	if (rc == 0 && d != NULL)
		rc = store_detection_put(e->store, d);
	if (rc == 0 && ev->type != EVENT_HEARTBEAT)
		rc = store_event_put(e->store, ev);
	for (size_t i = 0; rc == 0 && i < e->conf->n_receivers && i < RECEIVERS_MAX; i++) {
		rows[i] = 0;
		if (only == NULL || strcmp(only, e->conf->receivers[i].name) == 0)
			rc = store_outbox_put(e->store, e->conf->receivers[i].name, ev, &rows[i]);
	}
	return rc;
}

int
event_commit(struct engine *e, struct event *ev, const struct detection *d, const char *only, struct moment now)
{
	static long long said;
	uint64_t rows[RECEIVERS_MAX] = { 0 };
	uint8_t random[10];
	int rc;

	e->ops->random(e->arg, random, sizeof random);
	ulid_text(now.wall, random, ev->id);
	ev->epoch = e->epoch;
	ev->at = ev->decided_at = now.wall;
	if ((rc = store_begin(e->store)) == 0 && (rc = event_write(e, ev, d, only, rows)) == 0)
		rc = store_commit(e->store);
	e->store_ok = rc == 0;
	if (rc < 0) {
		if (log_limit(&said))
			log_error("%s cannot be kept: %s; tried again", event_word(ev->type), store_error(e->store));
		store_rollback(e->store);
		e->counters[CNT_STORE_FAILURES]++;
		return rc;
	}
	e->counters[CNT_EVENTS]++;
	for (size_t i = 0; i < e->conf->n_receivers && i < RECEIVERS_MAX; i++) {
		struct outbox_row row = { .row = rows[i], .queued = now.wall, .event = *ev };

		if (rows[i] == 0)
			continue;
		text_cut(row.receiver, sizeof row.receiver, e->conf->receivers[i].name);
		if (!outbox_add(e->outbox, &row))
			log_error("out of memory: %s to %s waits for the next start", ev->id, row.receiver);
	}
	if (ev->type != EVENT_HEARTBEAT)
		log_info("%s %s: %s: queued to %zu receivers", ev->switch_name, ev->port, ev->text, e->conf->n_receivers);
	return 0;
}
