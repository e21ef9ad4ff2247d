/* agent/engine/events.c: from a finding, a switch or the agent to an event that is on disk before anybody is told. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "base/text.h"
#include "engine/core.h"

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
	char line[sizeof d->maker_reason + EVIDENCE_MAX * 320];
	size_t n = (size_t)snprintf(line, sizeof line, "%s%s", d->conflict ? "conflict: " : "", d->maker_reason);

	for (size_t i = 0; i < d->n_evidence && n < sizeof line - 1; i++)
		if (strcmp(d->evidence[i].source, "registry") != 0)
			n += (size_t)snprintf(line + n, sizeof line - n, "; %s %s %s", d->evidence[i].source, d->evidence[i].key,
			    d->evidence[i].value);
	text_cut(out, size, line);
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
	text_printf(ev->text, sizeof ev->text, "%s %s %s at %s %s", event_word(type), mac_text(d->mac, mac), d->vendor,
	    d->location.place.switch_name[0] != '\0' ? d->location.place.switch_name : "(place unknown)", d->location.place.port);
	if (type == EVENT_DEVICE_DETECTED && e->relearning && d->origin == ORIGIN_EXISTING)
		event_mark(ev, "re-learned");
}

static void
mark(char *text, size_t size, const char *word)
{
	char was[sizeof ((struct event *)NULL)->text];
	size_t n = strlen(word);

	if (strncmp(text, word, n) == 0 && strncmp(text + n, ": ", 2) == 0)
		return;				/* an event that is tried again */
	text_cut(was, sizeof was, text);
	text_printf(text, size, "%s: %s", word, was);
}

void
event_mark(struct event *ev, const char *word)
{
	mark(ev->text, sizeof ev->text, word);
	if (ev->detection_id != 0 || ev->evidence[0] != '\0')
		mark(ev->evidence, sizeof ev->evidence, word);
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

/* ---- changes: what belongs together is on disk together, and only then is anybody told */

int
change_begin(struct engine *e)
{
	assert(e->n_pending == 0);
	e->unsaved.mark_presences = e->unsaved.n_presences;
	return in_memory(e) ? 0 : store_begin(e->store);
}

int
change_detection(struct engine *e, struct detection *d)
{
	struct finding *f = finding_of(e, d->mac);
	int rc = d->id != 0 ? 0 : counter_next(e, COUNTER_DETECTION, &d->id);

	if (rc == 0 && !in_memory(e))
		rc = store_detection_put(e->store, d);
	if (rc < 0 || !in_memory(e))
		return rc;
	assert(f != NULL);
	f->unsaved = true;		/* as it is when the disk is well again */
	return 0;
}

int
change_switch(struct engine *e, struct sw *sw)
{
	if (!in_memory(e))
		return switch_write(e, sw, true);
	sw->state_dirty = true;
	return 0;
}

int
change_presence(struct engine *e, uint32_t detection_id, const struct place *at, struct wall from, struct wall to)
{
	const struct unsaved_presence p = { detection_id, *at, from, to };

	return in_memory(e) ? unsaved_presence_add(e, &p) : store_presence_put(e->store, detection_id, at, from, to);
}

static size_t
heads_pending(const struct engine *e)
{
	size_t n = 0;

	for (size_t i = 0; i < e->n_pending; i++)
		n += e->pending[i].row == 0;
	return n;
}

/* The row of an event for one receiver: its number in the store, or for as long as the disk takes nothing one of our own. */
static int
row_put(struct engine *e, const char *receiver, const struct event *ev, uint64_t *row)
{
	if (!in_memory(e))
		return store_outbox_put(e->store, receiver, ev, row);
	*row = OUTBOX_UNSAVED | ++e->unsaved.next_row;
	return 0;
}

static int
pending_add(struct engine *e, const char *receiver, uint64_t row, const struct event *ev)
{
	struct outbox_row *p;

	if (array_grow((void **)&e->pending, e->n_pending, &e->cap_pending, sizeof *e->pending) < 0)
		return -ENOMEM;
	p = &e->pending[e->n_pending++];
	*p = (struct outbox_row){ .row = row, .queued = ev->at, .event = *ev };
	text_cut(p->receiver, sizeof p->receiver, receiver);
	return 0;
}

int
change_event(struct engine *e, struct event *ev, const char *only, struct moment now)
{
	uint8_t random[10];
	uint64_t row;
	int rc;

	assert(ev->type != 0 && ev->severity != 0);
	e->ops->random(e->arg, random, sizeof random);
	ulid_text(now.wall, random, ev->id);
	ev->epoch = e->epoch;
	ev->at = ev->decided_at = now.wall;
	if (!wall_is_set(now.wall))
		event_mark(ev, "clock-unset");
	if ((rc = counter_next(e, COUNTER_EVENT, &ev->sequence)) == 0)
		rc = pending_add(e, "", 0, ev);	/* heads its rows */
	if (rc == 0 && in_memory(e))
		rc = unsaved_room(e, heads_pending(e));
	else if (rc == 0 && ev->type != EVENT_HEARTBEAT)
		rc = store_event_put(e->store, ev);
	for (size_t i = 0; rc == 0 && i < e->conf->n_receivers; i++) {
		const char *receiver = e->conf->receivers[i].name;

		if (only == NULL || strcmp(only, receiver) == 0)
			if ((rc = row_put(e, receiver, ev, &row)) == 0)
				rc = pending_add(e, receiver, row, ev);
	}
	return rc;
}

/* Row 0 heads the rows of its event. */
static size_t
rows_of(const struct engine *e, size_t head)
{
	size_t n = 0;

	while (head + 1 + n < e->n_pending && e->pending[head + 1 + n].row != 0)
		n++;
	return n;
}

/* One line and one count per event, whatever the number of receivers. */
static void
event_decided(struct engine *e, size_t head)
{
	const struct event *ev = &e->pending[head].event;
	size_t n = rows_of(e, head);

	e->counters[CNT_EVENTS]++;
	if (in_memory(e))
		unsaved_add(e, ev, n > 0 ? e->pending[head + 1].row : OUTBOX_UNSAVED | (e->unsaved.next_row + 1), (uint32_t)n);
	if (ev->type != EVENT_HEARTBEAT)
		log_info("%s%s%s%s%s: queued to %zu receiver%s", ev->switch_name, ev->port[0] != '\0' ? " " : "", ev->port,
		    ev->switch_name[0] != '\0' ? ": " : "", ev->text, n, n == 1 ? "" : "s");
}

static void
row_give(struct engine *e, const struct outbox_row *p, struct moment now)
{
	static long long said, said_lost;

	if (outbox_add(e->outbox, p, now))
		return;
	if ((p->row & OUTBOX_UNSAVED) == 0) {
		e->counters[CNT_ROWS_LATE]++;
		if (log_limit(&said))
			log_error("out of memory: %s to %s waits for the next start", p->event.id, p->receiver);
		return;
	}
	if (log_limit(&said_lost))
		log_error("out of memory: %s to %s is lost", p->event.id, p->receiver);
	e->counters[CNT_EVENTS_DROPPED]++;
	unsaved_row_done(e, p->row);
}

/* Nothing of the open change stays. What our own limits refuse is refused; a disk that fails is no reason to be silent. */
static int
change_undo(struct engine *e, int rc, const char *what, struct moment now)
{
	static long long said;
	bool on_disk = !in_memory(e), again = on_disk && rc != -ENOMEM && rc != -ERANGE;

	e->n_pending = 0;
	e->unsaved.n_presences = e->unsaved.mark_presences;
	if (!again && log_limit(&said))
		log_error("%s cannot be kept: %s; tried again", what, rc == -ENOMEM ? "out of memory" : rc == -ERANGE ?
		    store_error(e->store) : "too much waits in memory for the disk");
	if (again)
		storage_failed(e, rc, now);
	if (on_disk)
		store_rollback(e->store);
	return again ? -EAGAIN : rc;
}

int
change_end(struct engine *e, int rc, const char *what, struct moment now)
{
	if (rc == 0 && !in_memory(e) && (rc = store_commit(e->store)) == 0)
		counters_committed(e);
	if (rc < 0)
		return change_undo(e, rc, what, now);
	for (size_t i = 0; i < e->n_pending; i++) {
		if (e->pending[i].row == 0)
			event_decided(e, i);
		else
			row_give(e, &e->pending[i], now);
	}
	e->n_pending = 0;
	return 0;
}

int
event_commit(struct engine *e, struct event *ev, const char *only, struct moment now)
{
	int rc;

	do {
		if ((rc = change_begin(e)) == 0)
			rc = change_event(e, ev, only, now);
	} while ((rc = change_end(e, rc, event_word(ev->type), now)) == -EAGAIN);
	return rc;
}

#define OWED_MAX 64
#define OWED_MS 1000

void
event_owe(struct engine *e, const struct event *ev, struct moment now)
{
	struct event copy = *ev;

	if (e->n_owed_events == 0 && event_commit(e, &copy, NULL, now) == 0)
		return;
	if (e->n_owed_events == OWED_MAX ||
	    array_grow((void **)&e->owed_events, e->n_owed_events, &e->cap_owed_events, sizeof *e->owed_events) < 0) {
		e->counters[CNT_EVENTS_DROPPED]++;
		return;
	}
	e->owed_events[e->n_owed_events++] = *ev;
	e->owed_at = mono_add(now.mono, OWED_MS);
}

int64_t
owed_events_tell(struct engine *e, struct moment now)
{
	size_t done = 0;

	if (e->n_owed_events == 0)
		return 60000;
	if (mono_since(e->owed_at, now.mono) < 0)
		return mono_since(now.mono, e->owed_at);
	while (done < e->n_owed_events && event_commit(e, &e->owed_events[done], NULL, now) == 0)
		done++;
	e->n_owed_events -= done;
	memmove(e->owed_events, e->owed_events + done, e->n_owed_events * sizeof *e->owed_events);
	e->owed_at = mono_add(now.mono, OWED_MS);
	return e->n_owed_events == 0 ? 60000 : OWED_MS;
}
