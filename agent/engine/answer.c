/* agent/engine/answer.c: what the engine says when views asks: which question it is, and the orders that take time. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "base/text.h"
#include "engine/answer.h"
#include "engine/core.h"

#define TEST_MS 15000
#define POLL_MS 60000

/* The whole text in pieces; the last one says so. Takes `doc` over. */
void
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

void
answer_error(struct engine *e, uint32_t id, const char *what, const char *name)
{
	char text[400];

	snprintf(text, sizeof text, "%s%s%s%s", what, name != NULL ? " \"" : "", name != NULL ? name : "", name != NULL ? "\"" : "");
	answer_send(e, id, json_pack("{s:i, s:s}", "version", 1, "error", text));
}

/* ---- orders that take time */

static void
waiting_done(struct waiting **p)
{
	struct waiting *w = *p;

	*p = w->next;
	free(w);
}

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
	w->asked_wall = now.wall;
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

/* Each switch that has not been polled for the order yet is marked with its query. */
static void
answer_poll_all(struct engine *e, const struct msg_query *q, struct moment now)
{
	for (const struct waiting *w = e->waiting; w != NULL; w = w->next)
		if (w->left > 0) {
			answer_error(e, q->id, "every switch is being polled already", NULL);
			return;
		}
	if (e->net.n_switches == 0) {
		answer_error(e, q->id, "no switch is configured", NULL);
		return;
	}
	wait_for(e, q, POLL_MS, 0, "", now);
	if (e->waiting == NULL || e->waiting->query.id != q->id)
		return;
	e->waiting->left = e->net.n_switches;
	for (size_t i = 0; i < e->net.n_switches; i++)
		e->net.switches[i]->awaited = q->id;
	e->ops->poll_now(e->arg, 0);
}

/* What came of it; of those that have not been polled in time the state is an old one. */
static json_t *
polled_all_json(const struct engine *e, const struct waiting *w, struct moment now)
{
	json_t *states = json_object(), *doc;
	json_int_t rows = 0;

	for (size_t i = 0; i < e->net.n_switches; i++) {
		const struct sw *sw = e->net.switches[i];
		const char *word = sw->awaited == w->query.id ? "waiting" : switch_state_word(sw->state);

		json_object_set_new(states, word, json_integer(json_integer_value(json_object_get(states, word)) + 1));
		rows += sw->table.fdb.n;
	}
	doc = json_pack("{s:i, s:I, s:o, s:I, s:I}", "version", 1, "switches", (json_int_t)e->net.n_switches, "states", states, "rows", rows,
	    "milliseconds", (json_int_t)mono_since(w->asked, now.mono));
	return doc;
}

void
answer_query(struct engine *e, const struct msg_query *q, struct moment now)
{
	struct sw *sw;

	if (strcmp(q->command, "status") == 0) {
		answer_send(e, q->id, status_json(e, now));
	} else if (strcmp(q->command, "switches") == 0) {
		answer_switches(e, q);
	} else if (strcmp(q->command, "topology") == 0) {
		answer_topology(e, q);
	} else if (strcmp(q->command, "doctor") == 0) {
		answer_doctor(e, q, now);
	} else if (strcmp(q->command, "find") == 0) {
		answer_find(e, q);
	} else if (strcmp(q->command, "test") == 0) {
		answer_test(e, q, now);
	} else if (strcmp(q->command, "poll") == 0 && q->all) {
		answer_poll_all(e, q, now);
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

/* One more of an order to poll every switch; one that is not configured any more is done, too. */
static void
polled_one_of_all(struct engine *e, struct sw *sw, const struct wall *started, struct moment now)
{
	for (struct waiting **p = &e->waiting; *p != NULL; p = &(*p)->next) {
		if ((*p)->left == 0 || (*p)->query.id != sw->awaited || (started != NULL && started->us < (*p)->asked_wall.us))
			continue;
		assert((*p)->key == 0);
		sw->awaited = 0;
		if (--(*p)->left > 0)
			return;
		answer_send(e, (*p)->query.id, polled_all_json(e, *p, now));
		waiting_done(p);
		return;
	}
}

void
answer_polled(struct engine *e, struct sw *sw, struct wall started, struct moment now)
{
	if (sw->awaited != 0)
		polled_one_of_all(e, sw, &started, now);
	for (struct waiting **p = &e->waiting; *p != NULL;) {
		if ((*p)->key != sw->key || started.us < (*p)->asked_wall.us) {
			p = &(*p)->next;
			continue;
		}
		answer_send(e, (*p)->query.id, json_pack("{s:i, s:s, s:s, s:I, s:I, s:o}", "version", 1, "switch", sw->name, "state",
		    switch_state_word(sw->state), "rows", (json_int_t)sw->table.fdb.n, "milliseconds",
		    (json_int_t)mono_since((*p)->asked, now.mono), "why", text_or_null(sw->error)));
		waiting_done(p);
	}
}

void
answer_forget(struct engine *e, struct sw *sw, struct moment now)
{
	if (sw->awaited != 0)
		polled_one_of_all(e, sw, NULL, now);
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

	listings_go(e);
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
		else if ((*p)->left > 0)
			answer_send(e, (*p)->query.id, polled_all_json(e, *p, now));
		else
			answer_error(e, (*p)->query.id, "no poll ended in time for", (*p)->query.argument);
		waiting_done(p);
	}
	return next;
}

void
answer_free(struct engine *e)
{
	listings_free(e);
	while (e->waiting != NULL)
		waiting_done(&e->waiting);
}
