/* agent/engine/outbox.c: the schedule of deliveries. Each row is in the store until its receiver acknowledged it. */
#include "engine/outbox.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/map.h"
#include "base/num.h"
#include "base/text.h"

#define IN_FLIGHT_MAX 32
#define BACKOFF_MAX_MS 300000
#define ANSWER_MS 30000			/* notify gives up after 5 s: longer means that it lost the row */
#define LOAD_AGAIN_MS 5000
#define KEEP_MS (7 * 86400000ll)	/* counted by the clock that does not jump: a restart begins anew, nothing goes too early */
#define KEEP_ROWS 100000
#define ROOM_AGAIN (KEEP_ROWS / 10 * 9)	/* so few rows end an overflow: one at its brim is one episode */
#define INTERVAL_MS 20			/* 50 notifications a second, */
#define BURST_MS 1000			/* and after a pause as many at once: a receiver that is back is not run over */
#define REFUSALS_MAX 3			/* so many in a row are about the receiver, not about a row */
#define WINDOW 1024			/* subjects looked at per turn */
#define ROWS_PER_TURN 20000		/* and rows: a device with so many of them holds up nobody before that */

enum row_state { ROW_QUEUED, ROW_IN_FLIGHT };

struct entry {
	struct entry	*next, **prev;
	struct receiver	*owner;
	uint64_t	 state_key;	/* a later row with the same key may clear this one; 0: none does */
	struct entry	*older, *newer;	/* of the same key */
	struct entry	*cleared_next, **cleared_prev;	/* cleared_prev NULL: not cleared */
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
	bool		 configured, inform;
	uint64_t	 definition;	/* a hash of what the configuration says of it */
	enum receiver_state state;
	unsigned	 refusals;	/* in a row */
	struct mono	 retry_at;
	int64_t		 backoff_ms;
	struct mono	 paid_until;	/* each row sent costs INTERVAL_MS, and BURST_MS may be owed */
	struct entry	*first, **last, *heartbeat;	/* heartbeat: the one that waits, or NULL */
	struct map	 states;	/* state_key to the newest entry of it */
	struct entry	*cleared_first, **cleared_last;	/* in the order in which they were cleared */
	bool		 overflow, overflow_told;
	size_t		 queued, in_flight;
	uint64_t	 delivered, timed_out, refused, expired;
	char		 last_failure[128];
};

struct outbox {
	const struct outbox_ops	*ops;
	void			*arg;
	char			 agent[33];
	struct receiver		**receivers;
	struct map		 in_flight;	/* the number that notify knows to the entry */
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
		for (struct entry *e = o->receivers[i]->first, *next; e != NULL; e = next) {
			next = e->next;
			entry_free(e);
		}
		map_free(&o->receivers[i]->states);
		free(o->receivers[i]);
	}
	map_free(&o->in_flight);
	free(o->receivers);
	free(o->done);
	free(o);
}

static struct receiver *
receiver_of(struct outbox *o, const char *name)
{
	struct receiver *r;

	for (size_t i = 0; i < o->n; i++)
		if (strcmp(o->receivers[i]->name, name) == 0)
			return o->receivers[i];
	if (array_grow((void **)&o->receivers, o->n, &o->cap, sizeof *o->receivers) < 0 || (r = calloc(1, sizeof *r)) == NULL)
		return NULL;
	o->receivers[o->n++] = r;
	r->last = &r->first;
	r->cleared_last = &r->cleared_first;
	text_cut(r->name, sizeof r->name, name);
	return r;
}

static uint64_t
definition_of(const struct conf_receiver *c)
{
	struct buf b = { 0 };
	uint64_t hash;

	put_text(&b, c->host != NULL ? c->host : "");
	put_u16(&b, c->port);
	put_text(&b, c->credential != NULL ? c->credential : "");
	put_u8(&b, c->inform);
	put_bytes(&b, c->source_address.b, sizeof c->source_address.b);
	hash = hash_bytes(b.p, b.len);
	buf_free(&b);
	return hash;
}

/* A reload may have mended what we do not see, a secret or the receiver itself: one try at once. What is known of it stays until
 * that was answered, unless it is another receiver by now. */
static void
receiver_redefined(struct receiver *r, const struct conf_receiver *c)
{
	uint64_t is = definition_of(c);

	r->configured = true;
	r->inform = c->inform;
	r->retry_at = (struct mono){ 0 };
	for (struct entry *e = r->first; e != NULL; e = e->next)
		e->not_before = (struct mono){ 0 };
	if (r->definition == is)
		return;
	r->definition = is;
	r->state = RECEIVER_UP;
	r->refusals = 0;
	r->backoff_ms = 0;
}

void
outbox_configure(struct outbox *o, const struct conf *c)
{
	text_cut(o->agent, sizeof o->agent, c->name);
	for (size_t i = 0; i < o->n; i++)
		o->receivers[i]->configured = false;
	for (size_t i = 0; i < c->n_receivers; i++) {
		struct receiver *r = receiver_of(o, c->receivers[i].name);

		if (r != NULL)
			receiver_redefined(r, &c->receivers[i]);
	}
}

/* A detection, or else a switch, or else the agent. */
static uint64_t
subject_of(const struct event *e)
{
	return e->detection_id != 0 ? e->detection_id : hash_bytes(e->switch_name, strlen(e->switch_name));
}

/* ---- which rows a later one has cleared */

/* Rows of one key tell how one thing is; 0: nothing that comes later makes this row less worth telling. */
static uint64_t
state_key_of(const struct event *e)
{
	switch (e->type) {
	case EVENT_DEVICE_DETECTED:
	case EVENT_DEVICE_MOVED:
	case EVENT_DEVICE_GONE:
	case EVENT_DEVICE_RETURNED:
	case EVENT_DEVICE_CHANGED:
		return e->detection_id;
	case EVENT_SWITCH_UNREACHABLE:
	case EVENT_SWITCH_REACHABLE:
		return hash_bytes(e->switch_name, strlen(e->switch_name)) | 1ull << 63;	/* no detection has such a number */
	default:
		return 0;
	}
}

static bool
clears(enum event_type t)
{
	return t == EVENT_DEVICE_GONE || t == EVENT_DEVICE_RETURNED || t == EVENT_SWITCH_REACHABLE || t == EVENT_SWITCH_UNREACHABLE;
}

static void
entry_cleared(struct receiver *r, struct entry *e)
{
	e->cleared_next = NULL;
	e->cleared_prev = r->cleared_last;
	*r->cleared_last = e;
	r->cleared_last = &e->cleared_next;
}

/* Each row is cleared once, so over all rows this costs no more than the rows are. */
static void
state_add(struct receiver *r, struct entry *e, const struct event *ev)
{
	struct entry *before;
	uint64_t key = state_key_of(ev);

	if (key == 0)
		return;
	before = map_get(&r->states, key);
	if (map_put(&r->states, key, e) < 0)
		return;			/* out of memory: it is told in any case */
	e->state_key = key;
	if ((e->older = before) != NULL)
		before->newer = e;
	for (; clears(ev->type) && before != NULL && before->cleared_prev == NULL; before = before->older)
		entry_cleared(r, before);
}

static void
state_remove(struct receiver *r, struct entry *e)
{
	if (e->cleared_prev != NULL) {
		if ((*e->cleared_prev = e->cleared_next) != NULL)
			e->cleared_next->cleared_prev = e->cleared_prev;
		else
			r->cleared_last = e->cleared_prev;
	}
	if (e->state_key == 0)
		return;
	if (e->older != NULL)
		e->older->newer = e->newer;
	if (e->newer != NULL)
		e->newer->older = e->older;
	else if (e->older != NULL)
		(void)map_put(&r->states, e->state_key, e->older);	/* the key is there: it takes no memory */
	else
		map_del(&r->states, e->state_key);
}

/* ---- rows come and go */

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
	state_remove(r, e);
	assert(r->queued > 0);
	r->queued--;
	entry_free(e);
}

/* The row that is missed least: of those that a later one has cleared the first to be so, else the oldest. NULL: all are in flight. */
static struct entry *
least_missed(const struct receiver *r)
{
	struct entry *e = r->cleared_first;

	while (e != NULL && e->state == ROW_IN_FLIGHT)
		e = e->cleared_next;
	for (e = e != NULL ? e : r->first; e != NULL && e->state == ROW_IN_FLIGHT;)
		e = e->next;
	return e;
}

static void
entry_expire(struct outbox *o, struct receiver *r, struct entry *e)
{
	r->expired++;
	if (!r->overflow && r->configured)
		log_error("receiver %s was away for too long: of %zu notifications the first expire", r->name, r->queued);
	r->overflow = r->configured;
	entry_settle(o, r, e);
}

/* What is more or older than is promised to be kept. */
static void
expire(struct outbox *o, struct receiver *r, struct moment now)
{
	struct entry *e;

	while (r->queued > KEEP_ROWS && (e = least_missed(r)) != NULL)
		entry_expire(o, r, e);
	for (struct entry *next = r->first; (e = next) != NULL && mono_since(e->added, now.mono) >= KEEP_MS;) {
		next = e->next;
		if (e->state != ROW_IN_FLIGHT)
			entry_expire(o, r, e);
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
	*e = (struct entry){ .owner = r, .row = row->row, .subject = subject_of(&row->event), .added = now.mono, .queued = row->queued,
		.heartbeat = row->event.type == EVENT_HEARTBEAT, .prev = r->last };
	*r->last = e;
	r->last = &e->next;
	r->queued++;
	state_add(r, e, &row->event);
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
		for (struct entry *e = o->receivers[i]->first; e != NULL && rc == 0; e = e->next)
			if ((e->row & OUTBOX_UNSAVED) != 0)
				rc = put(arg, o->receivers[i]->name, e->row, &e->saved_as);
	return rc;
}

void
outbox_saved(struct outbox *o)
{
	for (size_t i = 0; i < o->n; i++)
		for (struct entry *e = o->receivers[i]->first; e != NULL; e = e->next)
			if ((e->row & OUTBOX_UNSAVED) != 0)
				e->row = e->saved_as;
}

static void
entry_land(struct outbox *o, struct entry *e)
{
	assert(e->state == ROW_IN_FLIGHT && e->owner->in_flight > 0);
	map_del(&o->in_flight, e->sent_as);
	e->state = ROW_QUEUED;
	e->owner->in_flight--;
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
	if (r->state != RECEIVER_DOWN)
		log_warnx("receiver %s does not acknowledge (%s): %zu notifications are kept", r->name, why[0] != '\0' ? why : "time-out",
		    r->queued);
	if (r->state != RECEIVER_DOWN || mono_since(r->retry_at, now.mono) >= 0)	/* several in flight time out together: one step */
		r->retry_at = mono_add(now.mono, longer(o, &r->backoff_ms));
	r->state = RECEIVER_DOWN;
	r->refusals = 0;
}

static void
delivered(struct outbox *o, struct receiver *r, struct entry *e)
{
	r->delivered++;
	entry_settle(o, r, e);
	if (r->state != RECEIVER_UP || r->last_failure[0] != '\0')
		log_info("receiver %s answers again: %zu notifications waiting", r->name, r->queued);
	r->state = RECEIVER_UP;
	r->refusals = 0;
	r->backoff_ms = 0;
	r->last_failure[0] = '\0';
}

/* A refusal has a cause that a person has to mend: said when it is another one than before, not with each try of each row. */
static void
refused(struct outbox *o, struct receiver *r, struct entry *e, const char *why, struct moment now)
{
	r->refused++;
	r->state = RECEIVER_REFUSED;
	if (++r->refusals >= REFUSALS_MAX && (r->refusals == REFUSALS_MAX || mono_since(r->retry_at, now.mono) >= 0))
		r->retry_at = mono_add(now.mono, longer(o, &r->backoff_ms));
	e->not_before = mono_add(now.mono, longer(o, &e->backoff_ms));
	if (strcmp(r->last_failure, why) != 0)
		log_warnx("receiver %s refuses %s: %s; its notifications are kept and tried again", r->name, o->told.id, why);
	text_cut(r->last_failure, sizeof r->last_failure, why);
}

const struct event *
outbox_result(struct outbox *o, const struct msg_delivered *m, struct moment now)
{
	struct entry *e = map_get(&o->in_flight, m->row);
	struct receiver *r;

	if (e == NULL)
		return NULL;		/* answered after we had given it up: it is tried again, with the same id */
	r = e->owner;
	o->told = *e->event;
	entry_land(o, e);
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
		for (struct entry *e = o->receivers[i]->first; e != NULL && o->receivers[i]->in_flight > 0; e = e->next)
			if (e->state == ROW_IN_FLIGHT)
				entry_land(o, e);
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
	if (rc < 0 || (e->event == NULL && (e->event = malloc(sizeof *e->event)) == NULL) || map_put(&o->in_flight, e->row, e) < 0) {
		e->not_before = mono_add(now.mono, LOAD_AGAIN_MS);
		return false;
	}
	*e->event = m.event;
	memcpy(m.receiver, r->name, sizeof m.receiver);
	memcpy(m.agent, o->agent, sizeof m.agent);
	e->state = ROW_IN_FLIGHT;
	e->sent_as = e->row;
	e->sent = now.mono;
	r->paid_until = mono_add(mono_since(r->paid_until, now.mono) > 0 ? now.mono : r->paid_until, INTERVAL_MS);
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

/* It does not answer or takes nothing: one row at a time, to see whether that has changed. */
static bool
is_probed(const struct receiver *r)
{
	return r->state == RECEIVER_DOWN || r->refusals >= REFUSALS_MAX;
}

/* Milliseconds until one more row may be sent. */
static int64_t
send_wait(const struct receiver *r, struct moment now)
{
	int64_t probe = is_probed(r) ? mono_since(now.mono, r->retry_at) : 0, rate = mono_since(now.mono, r->paid_until) + INTERVAL_MS - BURST_MS;

	probe = probe > rate ? probe : rate;
	return probe > 0 ? probe : 0;
}

static int64_t
receiver_tick(struct outbox *o, struct receiver *r, struct moment now)
{
	size_t limit = is_probed(r) ? 1 : IN_FLIGHT_MAX, looked = 0, rows = 0, flying = 0;
	struct passed passed = { .used = { false } };
	int64_t next = 60000, wait;

	if (!r->configured || !o->notify_up || r->first == NULL)
		return next;
	for (struct entry *e = r->first, *behind; e != NULL && looked < WINDOW && rows < ROWS_PER_TURN; e = behind, rows++) {
		bool first_of_its = passed_add(&passed, e->subject);

		wait = send_wait(r, now);
		if ((wait > 0 || r->in_flight >= limit) && flying == r->in_flight)
			return r->in_flight >= limit ? next : sooner(next, wait);	/* nothing to send, nothing more to watch */
		looked += first_of_its;
		behind = e->next;
		if (e->state == ROW_IN_FLIGHT) {
			int64_t left = ANSWER_MS - mono_since(e->sent, now.mono);

			flying += left > 0;
			if (left <= 0)
				entry_land(o, e);	/* notify has lost it: sent again in the next turn */
			next = sooner(next, left <= 0 ? 1 : left);
			continue;
		}
		if (!first_of_its || r->in_flight >= limit || wait > 0)
			continue;
		if (e->not_before.ms != 0 && mono_since(e->not_before, now.mono) < 0)
			next = sooner(next, mono_since(now.mono, e->not_before));
		else if (!entry_send(o, r, e, now))
			next = 1;
		else {
			flying++;
			next = sooner(next, ANSWER_MS);
		}
	}
	wait = send_wait(r, now);
	return wait > 0 && r->queued > r->in_flight ? sooner(next, wait) : next;
}

static void
overflow_judge(struct receiver *r)
{
	if (r->overflow && (!r->configured || (r->state == RECEIVER_UP && r->queued <= ROOM_AGAIN)))
		r->overflow = false;
}

bool
outbox_overflow(struct outbox *o, struct outbox_overflow *out)
{
	for (size_t i = 0; i < o->n; i++) {
		struct receiver *r = o->receivers[i];

		overflow_judge(r);
		if (r->overflow == r->overflow_told)
			continue;
		r->overflow_told = r->overflow;
		*out = (struct outbox_overflow){ r->name, r->overflow, r->queued, r->expired };
		return true;
	}
	return false;
}

int64_t
outbox_tick(struct outbox *o, struct moment now)
{
	int64_t next = 60000;

	for (size_t i = 0; i < o->n; i++) {
		expire(o, o->receivers[i], now);
		next = sooner(next, receiver_tick(o, o->receivers[i], now));
	}
	return next < 1 ? 1 : next;
}

bool
outbox_figures(const struct outbox *o, size_t n, struct outbox_figures *out)
{
	const struct receiver *r;

	if (n >= o->n)
		return false;
	r = o->receivers[n];
	*out = (struct outbox_figures){ r->name, r->inform, r->state, !r->configured, r->queued, r->in_flight, r->delivered,
		r->timed_out, r->refused, r->expired, r->first != NULL ? r->first->queued : (struct wall){ 0 }, r->last_failure };
	return true;
}
