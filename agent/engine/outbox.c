/* agent/engine/outbox.c: the schedule of deliveries. Each row is in the store until its receiver acknowledged it. */
#include "engine/outbox.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "base/text.h"

#define IN_FLIGHT_MAX 32
#define BACKOFF_MAX_MS 300000
#define ANSWER_MS 30000			/* notify gives up after 5 s: longer means that it lost the row */
#define LOAD_AGAIN_MS 5000
#define KEEP_MS (7 * 86400000ll)	/* counted by the clock that does not jump: a restart begins anew, nothing goes too early */
#define KEEP_ROWS 100000
#define WINDOW 1024			/* subjects looked at per turn */
#define ROWS_PER_TURN 20000		/* and rows: a device with so many of them holds up nobody before that */

enum row_state { ROW_QUEUED, ROW_IN_FLIGHT };

struct entry {
	struct entry	*next, **prev;
	uint64_t	 row;
	uint64_t	 sent_as;	/* the number that notify knows, while in flight */
	uint64_t	 saved_as;	/* between outbox_save() and outbox_saved() */
	uint64_t	 subject;	/* what has to stay in order */
	enum row_state	 state;
	bool		 heartbeat;
	struct mono	 added, sent, not_before;
	struct wall	 queued;
	int64_t		 backoff_ms;	/* after a refusal of this row alone */
	struct event	*event;		/* while in flight */
};

struct receiver {
	char		 name[NAME_MAX_OCTETS];
	bool		 configured, inform, down;
	struct mono	 retry_at;
	int64_t		 backoff_ms;
	struct entry	*first, **last, *heartbeat;	/* heartbeat: the one that waits, or NULL */
	size_t		 queued, in_flight;
	uint64_t	 delivered, timed_out, refused, expired;
	char		 last_failure[128];
};

struct outbox {
	const struct outbox_ops	*ops;
	void			*arg;
	char			 agent[33];
	struct receiver		*receivers;
	size_t			 n, cap;
	bool			 notify_up;
	uint64_t		*done;
	size_t			 n_done, cap_done;
	struct event		 told;		/* outbox_result() lends it */
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

static void
entry_free(struct entry *e)
{
	free(e->event);
	free(e);
}

void
outbox_free(struct outbox *o)
{
	if (o == NULL)
		return;
	for (size_t i = 0; i < o->n; i++) {
		for (struct entry *e = o->receivers[i].first, *next; e != NULL; e = next) {
			next = e->next;
			entry_free(e);
		}
	}
	free(o->receivers);
	free(o->done);
	free(o);
}

/* Whoever points into the array of receivers, after it may have moved. */
static void
receivers_moved(struct outbox *o)
{
	for (size_t i = 0; i < o->n; i++) {
		if (o->receivers[i].first == NULL)
			o->receivers[i].last = &o->receivers[i].first;
		else
			o->receivers[i].first->prev = &o->receivers[i].first;
	}
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
	receivers_moved(o);
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

/* A detection, or else a switch, or else the agent. */
static uint64_t
subject_of(const struct event *e)
{
	return e->detection_id != 0 ? e->detection_id : hash_bytes(e->switch_name, strlen(e->switch_name));
}

/* Out of the queue for good, and with the next batch out of the store. */
static void
entry_settle(struct outbox *o, struct receiver *r, struct entry *e)
{
	if ((e->row & OUTBOX_UNSAVED) != 0)
		o->ops->unsaved_done(o->arg, e->row);
	else if (array_grow((void **)&o->done, o->n_done, &o->cap_done, sizeof *o->done) == 0)
		o->done[o->n_done++] = e->row;
	else
		log_error("out of memory: outbox row %llu is sent again after the next start", (unsigned long long)e->row);
	if ((*e->prev = e->next) != NULL)
		e->next->prev = e->prev;
	else
		r->last = e->prev;
	if (r->heartbeat == e)
		r->heartbeat = NULL;
	assert(r->queued > 0);
	r->queued--;
	entry_free(e);
}

/* More than is promised to be kept: the oldest goes, and is counted. */
static void
expire(struct outbox *o, struct receiver *r, struct moment now)
{
	for (struct entry *e = r->first, *next; e != NULL; e = next) {
		next = e->next;
		if (r->queued <= KEEP_ROWS && mono_since(e->added, now.mono) < KEEP_MS)
			return;
		if (e->state == ROW_IN_FLIGHT)
			continue;
		if (r->expired++ == 0)
			log_error("receiver %s was away for too long: its oldest notifications expire", r->name);
		entry_settle(o, r, e);
	}
}

bool
outbox_add(struct outbox *o, const struct outbox_row *row, struct moment now)
{
	struct receiver *r = receiver_of(o, row->receiver);
	struct entry *e = calloc(1, sizeof *e);

	if (r == NULL || e == NULL) {
		free(e);
		return false;
	}
	*e = (struct entry){ .row = row->row, .subject = subject_of(&row->event), .added = now.mono, .queued = row->queued,
		.heartbeat = row->event.type == EVENT_HEARTBEAT, .prev = r->last };
	*r->last = e;
	r->last = &e->next;
	r->queued++;
	if (e->heartbeat) {
		if (r->heartbeat != NULL && r->heartbeat->state == ROW_QUEUED)
			entry_settle(o, r, r->heartbeat);
		r->heartbeat = e;
	}
	expire(o, r, now);
	return true;
}

const uint64_t *
outbox_done(const struct outbox *o, size_t *n)
{
	*n = o->n_done;
	return o->done;
}

void
outbox_settled(struct outbox *o)
{
	o->n_done = 0;
}

int
outbox_save(struct outbox *o, int (*put)(void *arg, const char *receiver, uint64_t unsaved, uint64_t *row), void *arg)
{
	int rc = 0;

	for (size_t i = 0; i < o->n && rc == 0; i++)
		for (struct entry *e = o->receivers[i].first; e != NULL && rc == 0; e = e->next)
			if ((e->row & OUTBOX_UNSAVED) != 0)
				rc = put(arg, o->receivers[i].name, e->row, &e->saved_as);
	return rc;
}

void
outbox_saved(struct outbox *o)
{
	for (size_t i = 0; i < o->n; i++)
		for (struct entry *e = o->receivers[i].first; e != NULL; e = e->next)
			if ((e->row & OUTBOX_UNSAVED) != 0)
				e->row = e->saved_as;
}

static struct entry *
entry_in_flight(struct outbox *o, uint64_t row, struct receiver **owner)
{
	for (size_t i = 0; i < o->n; i++) {
		struct receiver *r = &o->receivers[i];
		size_t left = r->in_flight;

		for (struct entry *e = r->first; e != NULL && left > 0; e = e->next) {
			if (e->state != ROW_IN_FLIGHT)
				continue;
			if (e->sent_as == row) {
				*owner = r;
				return e;
			}
			left--;
		}
	}
	return NULL;
}

static void
entry_land(struct receiver *r, struct entry *e)
{
	assert(e->state == ROW_IN_FLIGHT && r->in_flight > 0);
	e->state = ROW_QUEUED;
	r->in_flight--;
	free(e->event);
	e->event = NULL;
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

static void
unanswered(struct outbox *o, struct receiver *r, const char *why, struct moment now)
{
	r->timed_out++;
	text_cut(r->last_failure, sizeof r->last_failure, why[0] != '\0' ? why : "no acknowledgement");
	if (!r->down)
		log_warnx("receiver %s does not acknowledge (%s): %zu notifications are kept", r->name, why[0] != '\0' ? why : "time-out",
		    r->queued);
	if (!r->down || mono_since(r->retry_at, now.mono) >= 0) {	/* several in flight time out together: one step */
		r->down = true;
		r->retry_at = mono_add(now.mono, longer(o, &r->backoff_ms));
	}
}

static void
delivered(struct outbox *o, struct receiver *r, struct entry *e)
{
	r->delivered++;
	entry_settle(o, r, e);
	if (r->down || r->last_failure[0] != '\0')
		log_info("receiver %s answers again: %zu notifications waiting", r->name, r->queued);
	r->down = false;
	r->backoff_ms = 0;
	r->last_failure[0] = '\0';
}

/* A refusal has a cause that a person has to mend: said when it is another one than before, not with each try of each row. */
static void
refused(struct outbox *o, struct receiver *r, struct entry *e, const char *why, struct moment now)
{
	r->refused++;
	e->not_before = mono_add(now.mono, longer(o, &e->backoff_ms));
	if (strcmp(r->last_failure, why) != 0)
		log_warnx("receiver %s refuses %s: %s; its notifications are kept and tried again", r->name, o->told.id, why);
	text_cut(r->last_failure, sizeof r->last_failure, why);
}

const struct event *
outbox_result(struct outbox *o, const struct msg_delivered *m, struct moment now)
{
	struct receiver *r;
	struct entry *e = entry_in_flight(o, m->row, &r);

	if (e == NULL)
		return NULL;		/* answered after we had given it up: it is tried again, with the same id */
	o->told = *e->event;
	entry_land(r, e);
	switch (m->result) {
	case DELIVERY_ACKNOWLEDGED:
	case DELIVERY_SENT:
		delivered(o, r, e);
		break;
	case DELIVERY_REFUSED:
		refused(o, r, e, m->why, now);
		break;
	default:
		unanswered(o, r, m->why, now);
	}
	if (m->result != DELIVERY_ACKNOWLEDGED && m->result != DELIVERY_SENT && e->heartbeat && r->heartbeat != e)
		entry_settle(o, r, e);		/* a newer one waits */
	return &o->told;
}

void
outbox_notify_up(struct outbox *o, bool up)
{
	o->notify_up = up;
	for (size_t i = 0; i < o->n; i++)
		for (struct entry *e = o->receivers[i].first; e != NULL && o->receivers[i].in_flight > 0; e = e->next)
			if (e->state == ROW_IN_FLIGHT)
				entry_land(&o->receivers[i], e);
}

/* False: its event cannot be had; settled when it never can. */
static bool
entry_send(struct outbox *o, struct receiver *r, struct entry *e, struct moment now)
{
	struct msg_deliver m = { .row = e->row };
	int rc = o->ops->load(o->arg, e->row, &m.event);

	if (rc == -EBADMSG || rc == -ENOENT) {
		log_error("receiver %s: outbox row %llu cannot be read and is given up", r->name, (unsigned long long)e->row);
		r->expired++;
		entry_settle(o, r, e);
		return false;
	}
	if (rc < 0 || (e->event = malloc(sizeof *e->event)) == NULL) {
		e->not_before = mono_add(now.mono, LOAD_AGAIN_MS);
		return false;
	}
	*e->event = m.event;
	memcpy(m.receiver, r->name, sizeof m.receiver);
	memcpy(m.agent, o->agent, sizeof m.agent);
	e->state = ROW_IN_FLIGHT;
	e->sent_as = e->row;
	e->sent = now.mono;
	r->in_flight++;
	o->ops->deliver(o->arg, &m);
	return true;
}

/* Subjects of rows that were passed: what comes behind of the same has to wait. A small open hash, anew for each turn. */
struct passed { uint64_t v[WINDOW * 2]; bool used[WINDOW * 2]; };

/* False: it was there already. */
static bool
passed_add(struct passed *p, uint64_t subject)
{
	size_t i = (size_t)(subject * 0x9e3779b97f4a7c15u >> 40) % nitems(p->v);

	for (; p->used[i]; i = (i + 1) % nitems(p->v))
		if (p->v[i] == subject)
			return false;
	p->used[i] = true;
	p->v[i] = subject;
	return true;
}

static int64_t
sooner(int64_t a, int64_t b)
{
	return b < a ? b : a;
}

static int64_t
receiver_tick(struct outbox *o, struct receiver *r, struct moment now)
{
	size_t limit = r->down ? 1 : IN_FLIGHT_MAX, looked = 0, rows = 0;
	struct passed passed = { .used = { false } };
	int64_t next = 60000;

	if (!r->configured || !o->notify_up || r->first == NULL)
		return next;
	if (r->down && r->in_flight == 0 && mono_since(r->retry_at, now.mono) < 0)
		return mono_since(now.mono, r->retry_at);
	for (struct entry *e = r->first, *behind; e != NULL && looked < WINDOW && rows < ROWS_PER_TURN; e = behind, rows++) {
		bool first_of_its = passed_add(&passed, e->subject);

		looked += first_of_its;
		behind = e->next;
		if (e->state == ROW_IN_FLIGHT) {
			int64_t left = ANSWER_MS - mono_since(e->sent, now.mono);

			if (left <= 0)
				entry_land(r, e);	/* notify has lost it: sent again in the next turn */
			next = sooner(next, left <= 0 ? 1 : left);
			continue;
		}
		if (!first_of_its || r->in_flight >= limit || (r->down && mono_since(r->retry_at, now.mono) < 0))
			continue;
		if (e->not_before.ms != 0 && mono_since(e->not_before, now.mono) < 0)
			next = sooner(next, mono_since(now.mono, e->not_before));
		else if (!entry_send(o, r, e, now))
			next = 1;
		else
			next = sooner(next, ANSWER_MS);
	}
	return next;
}

int64_t
outbox_tick(struct outbox *o, struct moment now)
{
	int64_t next = 60000;

	for (size_t i = 0; i < o->n; i++) {
		expire(o, &o->receivers[i], now);
		next = sooner(next, receiver_tick(o, &o->receivers[i], now));
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
		r->timed_out, r->refused, r->expired, r->first != NULL ? r->first->queued : (struct wall){ 0 }, r->last_failure };
	return true;
}
