/* agent/poller/poller.c: the poller process: when each switch is polled, and what the engine is told.
 * A switch waits for its time, then in a queue, then is polled. Whoever did not answer last time queues in a lane of its own, and
 * a poll that waits for a first answer gives its slot back: dead switches delay no live one (threat-model.md P8). */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "poller/due.h"
#include "poller/poll.h"
#include "poller/report.h"
#include "proc/child.h"

enum { TICK_MS = 100, COUNTERS_MS = 5000, SAY_MS = 300000, DROPPED_MS = 30000, RUNNING_MAX = 2000, RUSH = 32, TIDY_MS = 5000,
	TURN_MORE = 8, SLOW_MS = 400 };

enum lane { LANE_LIVE, LANE_NEW, LANE_SILENT, LANE_N };
/* The slots of each lane, how many polls start at once, and how many may be answering at once: neither the switches nor we get all of
 * them. Those never polled may be dead for all we know; while they are read each takes memory, fresh memory costs more than what is
 * done in it, and where switches are fast more at once are not faster. Where a poll takes more than SLOW_MS they are TURN_MORE more
 * with each tick that others wait. */
static const struct { unsigned slots, per_tick, turn; } lanes[LANE_N] = { { 128, 64, 128 }, { 500, 64, 64 }, { 500, 32, 500 } };

struct sw {
	TAILQ_ENTRY(sw)		 all;
	TAILQ_ENTRY(sw)		 line;		/* in a queue, or among the running */
	struct sw		*next;		/* in the bucket */
	enum { SW_WAITS, SW_QUEUED, SW_RUNS } place;
	enum lane		 lane;		/* while queued */
	struct event		*due;
	const struct conf_switch *conf;		/* in poller.conf */
	struct poll		*poll;		/* NULL: not needed yet, or there was no memory */
	struct msg_report	 head;		/* of the last report */
	struct mono		 began;
	bool			 reported, known, again, keep, ping, dead;
	uint32_t		 pings;
};
TAILQ_HEAD(line, sw);

static struct poller {
	struct event_base	*base;
	struct event		*tick, *start;
	struct conf		*conf;
	struct snmp		*snmp;
	struct chan		*engine;
	struct line		 all, queue[LANE_N], running;
	struct sw		**buckets;	/* by key; their number is a power of two */
	size_t			 n_buckets;
	uint64_t		 dropped, untold;
	unsigned		 n_running;
	unsigned		 more[LANE_N];	/* ticks in a row that somebody waited, while polls were slow */
	double			 took_ms;	/* a poll that was answered, on average */
	bool			 unreported, configured, starting;
	struct mono		 counters_at, said_at;
	struct mono		 rush_at;	/* so many ran at once that the heap has become large; 0: not since it was tidied */
	struct snmp_counters	 told;
} poller;

/* The key is a hash already; its remainder has chosen this poller. */
static struct sw **
bucket_of(uint64_t key)
{
	return &poller.buckets[(key ^ key >> 32) & (poller.n_buckets - 1)];
}

static struct sw *
sw_find(uint64_t key)
{
	struct sw *w = poller.n_buckets > 0 ? *bucket_of(key) : NULL;

	while (w != NULL && w->conf->key != key)
		w = w->next;
	return w;
}

/* ---- waiting, queued, running: w->place changes here only */

static void
sw_leave(struct sw *w)
{
	switch (w->place) {
	case SW_WAITS:
		event_del(w->due);
		break;
	case SW_QUEUED:
		TAILQ_REMOVE(&poller.queue[w->lane], w, line);
		break;
	case SW_RUNS:
		assert(poller.n_running > 0);
		TAILQ_REMOVE(&poller.running, w, line);
		poller.n_running--;
		break;
	}
	w->place = SW_WAITS;
}

static void
sw_queue(struct sw *w)
{
	sw_leave(w);
	w->place = SW_QUEUED;
	w->lane = w->dead ? LANE_SILENT : w->known ? LANE_LIVE : LANE_NEW;
	TAILQ_INSERT_TAIL(&poller.queue[w->lane], w, line);
}

static void
due_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	sw_queue(arg);
}

static void
sw_wait(struct sw *w, int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	assert(ms >= 0);
	sw_leave(w);
	if (event_add(w->due, &tv) < 0)
		sw_queue(w);		/* early is better than never */
}

static void
sw_run(struct sw *w)
{
	sw_leave(w);
	w->place = SW_RUNS;
	TAILQ_INSERT_TAIL(&poller.running, w, line);
	if (++poller.n_running > RUSH)
		poller.rush_at = mono_now();
}

/* ---- what the engine is told */

/* The engine has no rows, or others: what is polled next it gets, whether that changed or not. */
static void
unreported(struct sw *w)
{
	w->reported = false;
	poller.unreported = true;
	if (w->poll != NULL)
		poll_expect(w->poll, 0);
}

/* `rows` NULL: none. */
static void
report(struct sw *w, enum report_rows what, const struct rowset *rows)
{
	w->head.rows = (uint8_t)what;
	w->reported = poller.engine != NULL && report_put(poller.engine, &w->head, rows) == 0;
	if (!w->reported)
		unreported(w);
}

/* ---- polls */

static void
schedule(struct sw *w)
{
	w->ping = w->dead && !w->again;
	if (w->again)
		sw_queue(w);
	else
		sw_wait(w, w->dead ? due_ping(w->pings, w->conf->poll_interval_s) :
		    due_poll(w->conf->key, w->conf->poll_interval_s, w->began, mono_now()));
	w->again = false;
}

/* Memory was out: this poll never was, and says nothing about the switch. */
static void
sw_dropped(struct sw *w)
{
	static long long last;

	poller.dropped++;
	if (log_limit(&last))
		log_warnx("%s: not polled: out of memory (%" PRIu64 " polls so far)", w->conf->name, poller.dropped);
	sw_wait(w, DROPPED_MS);
}

/* `missed` counts every asking without an answer, pings too: three of them are the alarm (P8). */
static void
head_set(struct sw *w, const struct poll_result *r, bool ping)
{
	struct msg_report *h = &w->head;

	h->missed = r->tables == NULL ? h->missed + 1 : 0;
	h->state = (uint8_t)(ping && h->state != 0 ? h->state : r->state);
	h->key = w->conf->key;
	h->started = r->started;
	h->finished = r->finished;
	h->began = w->began;
	h->requests = r->requests;
	h->timeouts = r->timeouts;
	h->uptime_cs = r->tables != NULL ? tables_uptime_cs(r->tables) : 0;
	h->restarted = r->tables != NULL && tables_restarted(r->tables);
	h->complete = r->same ? ROW_ALL : r->tables != NULL ? (uint8_t)tables_complete(r->tables) : 0;
	h->sum = r->tables != NULL && h->complete == ROW_ALL ? tables_sum(r->tables) : 0;
	snprintf(h->credential, sizeof h->credential, "%s", r->credential != NULL ? r->credential : "");
	if (!ping || r->tables != NULL || h->error[0] == '\0')	/* a ping has less to say than the poll before it */
		snprintf(h->error, sizeof h->error, "%s", r->error != NULL ? r->error : "");
}

static void
report_tables(struct sw *w, const struct tables *t)
{
	struct rowset rows;
	int rc = report_rows(t, &rows);

	if (rc < 0) {			/* what was known stays, and nothing of it is newly confirmed */
		poller.untold++;
		w->head.complete = 0;
		w->head.sum = 0;
		w->head.state = SWITCH_INCOMPLETE;
		snprintf(w->head.error, sizeof w->head.error, rc == -EMSGSIZE ? "poll: more rows than can be told" : "poll: out of memory");
		report(w, REPORT_NONE, NULL);
		return;
	}
	poll_expect(w->poll, w->head.sum);
	report(w, REPORT_ROWS, &rows);
	rowset_free(&rows);
}

/* A slot is free, or somebody waits for one: not from inside a poll that ends. */
static void
start_soon(void)
{
	if (!poller.starting)
		event_active(poller.start, EV_TIMEOUT, 0);
	poller.starting = true;
}

static void
poll_done(void *arg, const struct poll_result *r)
{
	struct sw *w = arg;
	bool ping = w->ping;

	assert(w->place == SW_RUNS);
	sw_leave(w);
	if (r->dropped) {
		sw_dropped(w);
		return;
	}
	if (ping && r->state == SWITCH_OK) {	/* it is back */
		w->again = true;
		w->dead = false;
		schedule(w);
		return;
	}
	w->dead = r->state == SWITCH_UNREACHABLE;
	if (!w->dead)
		poller.took_ms += ((double)mono_since(w->began, mono_now()) - poller.took_ms) / 16;
	w->pings = ping ? w->pings + 1 : 0;
	head_set(w, r, ping);
	w->known = true;
	if (r->tables != NULL && !r->same)
		report_tables(w, r->tables);
	else
		report(w, r->same ? REPORT_SAME : REPORT_NONE, NULL);
	tables_free(r->tables);
	schedule(w);
	start_soon();
}

static void
sw_start(struct sw *w)
{
	if (w->poll == NULL && (w->poll = poll_new(poller.snmp, poller.conf, w->conf, poll_done, w)) == NULL) {
		sw_dropped(w);
		return;
	}
	assert(!poll_running(w->poll));
	sw_run(w);
	w->began = mono_now();
	if (w->ping)
		poll_ping(w->poll);
	else
		poll_start(w->poll);
}

/* Whose slot a running poll has. */
static enum lane
lane_of(const struct sw *w, bool behind)
{
	return w->ping || (!behind && poll_waiting(w->poll)) ? LANE_SILENT : w->known ? LANE_LIVE : LANE_NEW;
}

/* It answers, or was asked just now. */
static bool
is_answering(const struct sw *w, struct mono now)
{
	return !poll_unheard(w->poll) || mono_since(w->began, now) < TICK_MS;
}

/* How many of a lane may be answering at once. */
static unsigned
turn_of(enum lane l)
{
	return poller.more[l] > RUNNING_MAX ? RUNNING_MAX : lanes[l].turn + poller.more[l] * TURN_MORE;
}

/* In order of arrival, as far as there are slots; up to lane `last`. */
static void
start_queued(enum lane last)
{
	unsigned used[LANE_N] = { 0 }, answering[LANE_N] = { 0 };
	bool behind = snmp_is_behind(poller.snmp);	/* then who waits may be waiting for us */
	struct mono now = mono_now();
	struct sw *w;

	TAILQ_FOREACH(w, &poller.running, line) {
		enum lane l = lane_of(w, behind);

		used[l]++;
		answering[l] += is_answering(w, now);
	}
	for (enum lane l = 0; l <= last; l++)
		for (unsigned i = 0; i < lanes[l].per_tick && used[l] < lanes[l].slots && answering[l] < turn_of(l) &&
		    poller.n_running < RUNNING_MAX; i++, used[l]++, answering[l]++) {
			if ((w = TAILQ_FIRST(&poller.queue[l])) == NULL)
				break;
			sw_start(w);
		}
}

static void
start_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
	assert(poller.starting);
	poller.starting = false;
	if (poller.engine != NULL && !chan_busy(poller.engine))
		start_queued(LANE_NEW);
}

static void
report_counters(const struct snmp_counters *c)
{
	const struct msg_counters m = { .requests = c->requests, .replies = c->replies, .timeouts = c->timeouts, .resent = c->resent,
		.nudges = c->nudges, .unsent = c->unsent, .strays = c->strays, .mismatched = c->mismatched, .malformed = c->malformed,
		.replaced = c->replaced, .untold = poller.untold };
	struct buf b = { 0 };

	msg_counters_encode(&b, &m);
	if (poller.engine != NULL)
		chan_put(poller.engine, MSG_COUNTERS, &b);	/* a lost one is made good by the next */
	buf_free(&b);
}

/* What was dropped at the door is counted and shown by `status`; said when there is more of it. */
static void
tell_counters(struct mono now)
{
	const struct snmp_counters *c = snmp_counters(poller.snmp), *t = &poller.told;

	if (mono_since(poller.counters_at, now) < COUNTERS_MS)
		return;
	poller.counters_at = now;
	report_counters(c);
	if (mono_since(poller.said_at, now) < SAY_MS)
		return;
	poller.said_at = now;
	if (c->mismatched == t->mismatched && c->malformed == t->malformed && c->unsent == t->unsent && c->strays == t->strays)
		return;
	poller.told = *c;
	log_info("since the start: %" PRIu64 " requests, %" PRIu64 " replies; dropped: %" PRIu64 " not from whom was asked or too late, %"
	    PRIu64 " of another version or community, %" PRIu64 " malformed; %" PRIu64 " datagrams not taken by the system", c->requests,
	    c->replies, c->strays, c->mismatched, c->malformed, c->unsent);
}

/* `ordered`: an order is worth more than one datagram. */
static void
sw_soon(struct sw *w, bool ordered)
{
	assert(w->place != SW_RUNS || w->poll != NULL);
	if (w->place == SW_RUNS) {
		w->again = true;
		return;
	}
	w->ping = w->ping && !ordered;
	if (w->place == SW_WAITS)
		sw_queue(w);
}

/* Whoever the engine has not, or not wholly, heard of is polled once more; of one that does not answer it gets to know just that. */
static void
report_again(void)
{
	struct sw *w;

	if (!poller.unreported)
		return;
	poller.unreported = false;
	TAILQ_FOREACH(w, &poller.all, all) {
		if (w->reported || !w->known || w->place != SW_WAITS)
			continue;
		if (chan_busy(poller.engine)) {
			poller.unreported = true;
			return;
		}
		if (w->dead)
			report(w, REPORT_NONE, NULL);
		else
			sw_soon(w, false);
	}
}

static void
tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct timeval tv = { 0, TICK_MS * 1000 };

	(void)fd, (void)what, (void)arg;
	if (event_add(poller.tick, &tv) < 0)
		fatal("out of memory");		/* nothing would ever be polled again */
	tell_counters(mono_now());
	if (poller.rush_at.ms != 0 && mono_since(poller.rush_at, mono_now()) > TIDY_MS) {
		tables_tidy();
		snmp_tidy();
		poller.rush_at.ms = 0;
	}
	if (poller.engine == NULL || chan_busy(poller.engine))
		return;
	report_again();
	for (enum lane l = 0; l < LANE_N; l++)
		poller.more[l] = TAILQ_EMPTY(&poller.queue[l]) ? 0 : poller.more[l] + (poller.took_ms > SLOW_MS);
	start_queued(LANE_SILENT);
}

static void
engine_message(void *arg, struct chan *c, uint16_t type, struct msg_in *body, int fd)
{
	uint64_t key = get_u64(body);
	struct sw *w = body->bad ? NULL : sw_find(key);

	(void)arg, (void)c;
	if (fd >= 0)
		close(fd);
	if (body->bad || (type != MSG_RESYNC && type != MSG_POLL_NOW))
		return;
	if (type == MSG_RESYNC && w != NULL)
		unreported(w);
	if (w != NULL)
		sw_soon(w, type == MSG_POLL_NOW);
	else if (key == 0 && type == MSG_POLL_NOW)
		TAILQ_FOREACH(w, &poller.all, all)
			sw_soon(w, true);
	start_soon();
}

static void
engine_closed(void *arg, struct chan *c)
{
	(void)arg;
	chan_free(c);
	poller.engine = NULL;
}

static void
peer_came(void *arg, enum peer_role role, unsigned index, int fd)
{
	static const struct chan_ops ops = { engine_message, engine_closed, NULL };
	struct sw *w;

	(void)arg, (void)index, (void)role;
	chan_free(poller.engine);
	if ((poller.engine = chan_new(poller.base, fd, &ops, NULL)) == NULL)
		fatal("no channel to the engine");
	TAILQ_FOREACH(w, &poller.all, all)
		unreported(w);
}

/* ---- configuration */

static bool
same(const struct conf *oc, const struct conf_switch *o, const struct conf *nc, const struct conf_switch *n)
{
	if (!str_eq(o->name, n->name) || !ip_eq(&o->address.ip, &n->address.ip) || o->address.port != n->address.port ||
	    o->poll_interval_s != n->poll_interval_s || o->max_rows != n->max_rows || o->max_in_flight != n->max_in_flight ||
	    o->credentials.n != n->credentials.n || o->n_reply_from != n->n_reply_from)
		return false;
	for (size_t i = 0; i < n->n_reply_from; i++)
		if (!ip_eq(&o->reply_from[i], &n->reply_from[i]))
			return false;
	for (size_t i = 0; i < n->credentials.n; i++) {
		const struct conf_credential *a = conf_credential(oc, o->credentials.v[i]), *b = conf_credential(nc, n->credentials.v[i]);

		if (!str_eq(o->credentials.v[i], n->credentials.v[i]) || a == NULL || b == NULL || a->version != b->version ||
		    !str_eq(a->community, b->community) || !str_eq(a->user, b->user) || a->auth != b->auth || a->priv != b->priv ||
		    !str_eq(a->auth_secret, b->auth_secret) || !str_eq(a->priv_secret, b->priv_secret) ||
		    !str_eq(a->context_prefix, b->context_prefix))
			return false;
	}
	return true;
}

/* To another configuration of the same switch, or to its first. An open poll ends without a word. */
static void
sw_bind(struct sw *w, const struct conf_switch *c)
{
	sw_leave(w);
	poll_free(w->poll);
	w->poll = NULL;
	w->conf = c;
	w->ping = w->again = w->dead = false;
	w->pings = w->head.missed = 0;
	sw_queue(w);
}

static void
sw_free(struct sw *w)
{
	sw_leave(w);
	for (struct sw **at = bucket_of(w->conf->key); *at != NULL; at = &(*at)->next)
		if (*at == w) {
			*at = w->next;
			break;
		}
	TAILQ_REMOVE(&poller.all, w, all);
	poll_free(w->poll);
	event_free(w->due);
	free(w);
}

/* NULL: out of memory. */
static struct sw *
sw_new(const struct conf_switch *c)
{
	struct sw *w = calloc(1, sizeof *w), **bucket;

	if (w == NULL || (w->due = evtimer_new(poller.base, due_cb, w)) == NULL) {
		free(w);
		return NULL;
	}
	sw_bind(w, c);
	bucket = bucket_of(c->key);
	w->next = *bucket;
	*bucket = w;
	TAILQ_INSERT_TAIL(&poller.all, w, all);
	return w;
}

/* Buckets for `n` switches; without memory those there are have to do. false: there are none. */
static bool
buckets_make(size_t n)
{
	size_t want = 16;
	struct sw **buckets, *w;

	while (want < n)
		want *= 2;
	if (want <= poller.n_buckets || (buckets = calloc(want, sizeof *buckets)) == NULL)
		return poller.n_buckets > 0;
	free(poller.buckets);
	poller.buckets = buckets;
	poller.n_buckets = want;
	TAILQ_FOREACH(w, &poller.all, all) {
		struct sw **bucket = bucket_of(w->conf->key);

		w->next = *bucket;
		*bucket = w;
	}
	return true;
}

/* Those that are the same go on with what they are about. `old` is no more borrowed afterwards: its secrets have to go (C4). */
static void
switches_take(const struct conf *c, const struct conf *old)
{
	struct sw *w, *next;

	for (size_t i = 0; i < c->n_switches; i++) {
		const struct conf_switch *n = &c->switches[i];

		if ((w = sw_find(n->key)) == NULL) {
			if ((w = sw_new(n)) == NULL && !poller.configured)
				fatal("out of memory");
			if (w == NULL)
				log_error("%s: not polled until the next reload: out of memory", n->name);
		} else if (!same(old, w->conf, c, n))
			sw_bind(w, n);
		else {
			w->conf = n;
			if (w->poll != NULL)
				poll_rebind(w->poll, c, n);
		}
		if (w != NULL)
			w->keep = true;
	}
	for (w = TAILQ_FIRST(&poller.all); w != NULL; w = next) {
		next = TAILQ_NEXT(w, all);
		if (!w->keep)
			sw_free(w);
		else
			w->keep = false;
	}
}

static int
configure(void *arg, const void *p, size_t n)
{
	struct conf *c = conf_decode(p, n), *old = poller.conf;

	(void)arg;
	if (c == NULL || !buckets_make(c->n_switches)) {
		conf_free(c);
		return -EBADMSG;
	}
	poller.conf = c;
	switches_take(c, old);
	conf_free(old);
	snmp_wipe(poller.snmp);
	poller.configured = true;
	child_ready();
	return 0;
}

int
poller_main(unsigned index)
{
	static const struct child_ops ops = { .configure = configure, .peer = peer_came };
	struct timeval tv = { 0, TICK_MS * 1000 };

	(void)index;
	TAILQ_INIT(&poller.all);
	TAILQ_INIT(&poller.running);
	for (enum lane l = 0; l < LANE_N; l++)
		TAILQ_INIT(&poller.queue[l]);
	poller.counters_at = poller.said_at = mono_now();
	if ((poller.base = event_base_new()) == NULL || (poller.snmp = snmp_new(poller.base)) == NULL ||
	    (poller.tick = event_new(poller.base, -1, 0, tick_cb, NULL)) == NULL ||
	    (poller.start = event_new(poller.base, -1, 0, start_cb, NULL)) == NULL)
		fatal("the poller cannot start");
	if (event_add(poller.tick, &tv) < 0)
		fatal("the poller cannot start");
	return child_run(poller.base, &ops, NULL);
}
