/* agent/engine/outbox.c: the schedule of deliveries. Each row is in the store until its receiver acknowledged it. */
#include "engine/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "base/text.h"

#define IN_FLIGHT_MAX 32
#define BACKOFF_MAX_MS 300000
#define ANSWER_MS 30000			/* notify gives up after 5 s: longer means that it lost the row */

enum row_state { ROW_QUEUED, ROW_IN_FLIGHT, ROW_SETTLED };

struct entry {
	struct entry		*next;
	struct outbox_row	 row;
	enum row_state		 state;
	struct mono		 sent, not_before;
	int64_t			 backoff_ms;	/* after a refusal of this row alone */
};

struct receiver {
	char			 name[NAME_MAX_OCTETS];
	bool			 configured, inform, down;
	struct mono		 retry_at;
	int64_t			 backoff_ms;
	struct entry		*first, **last;
	size_t			 queued, in_flight;
	uint64_t		 delivered, timed_out, refused;
};

struct outbox {
	const struct outbox_ops	*ops;
	void			*arg;
	char			 agent[33];
	struct receiver		*receivers;
	size_t			 n, cap;
	bool			 notify_up;
};

struct outbox *
outbox_new(const struct outbox_ops *ops, void *arg)
{
	struct outbox *o = calloc(1, sizeof *o);

	if (o != NULL) {
		o->ops = ops;
		o->arg = arg;
	}
	return o;
}

void
outbox_free(struct outbox *o)
{
	if (o == NULL)
		return;
	for (size_t i = 0; i < o->n; i++) {
		for (struct entry *e = o->receivers[i].first, *next; e != NULL; e = next) {
			next = e->next;
			free(e);
		}
	}
	free(o->receivers);
	free(o);
}

static struct receiver *
receiver_of(struct outbox *o, const char *name)
{
	struct receiver *r;

	for (size_t i = 0; i < o->n; i++)
		if (strcmp(o->receivers[i].name, name) == 0)
			return &o->receivers[i];
	if (array_grow((void **)&o->receivers, o->n, &o->cap, sizeof *o->receivers) < 0)
		return NULL;
	for (size_t i = 0; i < o->n; i++)	/* the array may have moved */
		if (o->receivers[i].first == NULL)
			o->receivers[i].last = &o->receivers[i].first;
	r = &o->receivers[o->n++];
	*r = (struct receiver){ 0 };
	r->last = &r->first;
	text_cut(r->name, sizeof r->name, name);
	return r;
}

void
outbox_configure(struct outbox *o, const struct conf *c)
{
	text_cut(o->agent, sizeof o->agent, c->name);
	for (size_t i = 0; i < o->n; i++)
		o->receivers[i].configured = false;
	for (size_t i = 0; i < c->n_receivers; i++) {
		struct receiver *r = receiver_of(o, c->receivers[i].name);

		if (r == NULL)
			continue;
		r->configured = true;
		r->inform = c->receivers[i].inform;
		r->down = false;	/* its address or credential may be what was mended */
	}
}

bool
outbox_add(struct outbox *o, const struct outbox_row *row)
{
	struct receiver *r = receiver_of(o, row->receiver);
	struct entry *e = calloc(1, sizeof *e);

	if (r == NULL || e == NULL) {
		free(e);
		return false;
	}
	e->row = *row;
	*r->last = e;
	r->last = &e->next;
	r->queued++;
	return true;
}

static struct entry *
entry_of(struct outbox *o, uint64_t row, struct receiver **owner)
{
	for (size_t i = 0; i < o->n; i++) {
		for (struct entry *e = o->receivers[i].first; e != NULL; e = e->next) {
			if (e->row.row == row && e->state == ROW_IN_FLIGHT) {
				*owner = &o->receivers[i];
				return e;
			}
		}
	}
	return NULL;
}

/* 1, 2, 4 … 300 s, each give or take a fifth: receivers that came back together are not asked together. */
static int64_t
longer(struct outbox *o, int64_t *backoff_ms)
{
	uint8_t dice;

	*backoff_ms = *backoff_ms == 0 ? 1000 : *backoff_ms * 2;
	if (*backoff_ms > BACKOFF_MAX_MS)
		*backoff_ms = BACKOFF_MAX_MS;
	o->ops->random(o->arg, &dice, 1);
	return *backoff_ms * (80 + dice % 41) / 100;
}

const struct event *
outbox_result(struct outbox *o, const struct msg_delivered *m, struct moment now)
{
	struct receiver *r;
	struct entry *e = entry_of(o, m->row, &r);

	if (e == NULL)
		return NULL;		/* answered after we had given it up: it is tried again, with the same id */
	r->in_flight--;
	e->state = ROW_QUEUED;
	switch (m->result) {
	case DELIVERY_ACKNOWLEDGED:
	case DELIVERY_SENT:
		e->state = ROW_SETTLED;
		r->queued--;
		r->delivered++;
		if (r->down)
			log_info("receiver %s answers again: %zu notifications waiting", r->name, r->queued);
		r->down = false;
		r->backoff_ms = 0;
		break;
	case DELIVERY_REFUSED:
		r->refused++;
		e->not_before = mono_add(now.mono, longer(o, &e->backoff_ms));
		log_warnx("receiver %s refused %s: %s; tried again later", r->name, e->row.event.id, m->why);
		break;
	default:
		r->timed_out++;
		if (!r->down)
			log_warnx("receiver %s does not acknowledge (%s): %zu notifications are kept", r->name,
			    m->why[0] != '\0' ? m->why : "time-out", r->queued);
		if (!r->down || mono_since(r->retry_at, now.mono) >= 0) {	/* several in flight time out together: one step */
			r->down = true;
			r->retry_at = mono_add(now.mono, longer(o, &r->backoff_ms));
		}
	}
	return &e->row.event;
}

void
outbox_notify_up(struct outbox *o, bool up)
{
	o->notify_up = up;
	for (size_t i = 0; i < o->n; i++) {
		for (struct entry *e = o->receivers[i].first; e != NULL; e = e->next)
			if (e->state == ROW_IN_FLIGHT)
				e->state = ROW_QUEUED;
		o->receivers[i].in_flight = 0;
	}
}

/* What has to stay in order: a detection, or else a switch, or else the agent. */
static bool
same_subject(const struct event *a, const struct event *b)
{
	if (a->detection_id != 0 || b->detection_id != 0)
		return a->detection_id == b->detection_id;
	return strcmp(a->switch_name, b->switch_name) == 0;
}

static bool
waits_for_earlier(const struct receiver *r, const struct entry *e)
{
	for (const struct entry *x = r->first; x != e; x = x->next)
		if (x->state != ROW_SETTLED && same_subject(&x->row.event, &e->row.event))
			return true;
	return false;
}

/* Drops settled rows, and takes back what notify has lost. */
static void
receiver_tidy(struct outbox *o, struct receiver *r, struct moment now)
{
	for (struct entry **p = &r->first; *p != NULL;) {
		struct entry *e = *p;

		if (e->state == ROW_IN_FLIGHT && mono_since(e->sent, now.mono) > ANSWER_MS) {
			e->state = ROW_QUEUED;
			r->in_flight--;
		}
		if (e->state == ROW_SETTLED && o->ops->settled(o->arg, e->row.row) == 0) {
			if ((*p = e->next) == NULL)
				r->last = p;
			free(e);
			continue;
		}
		p = &e->next;
	}
}

static void
entry_send(struct outbox *o, struct receiver *r, struct entry *e, struct moment now)
{
	struct msg_deliver m = { .row = e->row.row, .event = e->row.event };

	memcpy(m.receiver, r->name, sizeof m.receiver);
	memcpy(m.agent, o->agent, sizeof m.agent);
	e->state = ROW_IN_FLIGHT;
	e->sent = now.mono;
	r->in_flight++;
	o->ops->deliver(o->arg, &m);
}

static int64_t
receiver_tick(struct outbox *o, struct receiver *r, struct moment now)
{
	size_t limit = r->down ? 1 : IN_FLIGHT_MAX;
	int64_t next = 60000;

	receiver_tidy(o, r, now);
	if (!r->configured || !o->notify_up || r->first == NULL)
		return next;
	if (r->down && mono_since(r->retry_at, now.mono) < 0)
		return mono_since(now.mono, r->retry_at);
	for (struct entry *e = r->first; e != NULL && r->in_flight < limit; e = e->next) {
		if (e->state != ROW_QUEUED || waits_for_earlier(r, e))
			continue;
		if (e->not_before.ms != 0 && mono_since(e->not_before, now.mono) < 0) {
			int64_t wait = mono_since(now.mono, e->not_before);

			next = wait < next ? wait : next;
			continue;
		}
		entry_send(o, r, e, now);
	}
	return r->in_flight > 0 && next > ANSWER_MS ? ANSWER_MS : next;
}

int64_t
outbox_tick(struct outbox *o, struct moment now)
{
	int64_t next = 60000;

	for (size_t i = 0; i < o->n; i++) {
		int64_t ms = receiver_tick(o, &o->receivers[i], now);

		next = ms < next ? ms : next;
	}
	return next < 1 ? 1 : next;
}

bool
outbox_figures(const struct outbox *o, size_t n, struct outbox_figures *out)
{
	const struct receiver *r;

	if (n >= o->n)
		return false;
	r = &o->receivers[n];
	*out = (struct outbox_figures){ r->name, r->inform, r->down, !r->configured, r->queued, r->in_flight, r->delivered,
		r->timed_out, r->refused, { 0 } };
	for (const struct entry *e = r->first; e != NULL; e = e->next) {
		if (e->state != ROW_SETTLED) {
			out->oldest = e->row.queued;
			break;
		}
	}
	return true;
}
