/* agent/poller/poller.c: the poller process: when each switch is polled, and what the engine is told. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/num.h"
#include "poller/poll.h"
#include "poller/report.h"
#include "proc/child.h"

enum { TICK_MS = 100, STARTS_PER_TICK = 64, RUNNING_MAX = 500 };

struct conf_ref { struct conf *conf; size_t users; };
struct sw {
	struct sw		*next;
	struct conf_ref		*ref;
	const struct conf_switch *conf;
	struct poll		*poll;
	struct rowset		 last;
	struct msg_report	 head;		/* of the last report */
	struct mono		 due;
	bool			 reported, known, again, keep, ping, dead;
	uint32_t		 pings;
};
static struct poller {
	struct event_base	*base;
	struct event		*tick;
	struct snmp		*snmp;
	struct chan		*engine;
	struct sw		*all;
	uint64_t		 epoch;
	unsigned		 running;
} poller;

static void
report(struct sw *w, const struct rowset *now)
{
	if (poller.engine == NULL)
		return;
	w->head.snapshot = !w->reported;
	w->head.sequence++;
	w->reported = report_put(poller.engine, &w->head, &w->last, now) == 0;
}

static void
schedule(struct sw *w)
{
	int64_t interval = (int64_t)w->conf->poll_interval_s * 1000, wall = wall_now().us / 1000;
	int64_t wait = interval - (wall - (int64_t)(w->conf->key % (uint64_t)interval)) % interval;

	w->ping = w->dead;
	if (w->dead) {
		wait = w->pings == 0 ? 30000 : w->pings == 1 ? 60000 : w->pings == 2 ? 120000 : 300000;
		wait = wait < interval ? wait : interval;
	}
	if (w->again) {
		wait = 0;
		w->ping = w->again = false;
	}
	w->due = mono_add(mono_now(), wait);
}

static void
poll_done(void *arg, const struct poll_result *r)
{
	struct sw *w = arg;
	struct rowset now = { 0 };
	bool ping = w->ping;

	poller.running--;
	if (ping && r->state == SWITCH_OK) {	/* it is back */
		w->again = true;
		schedule(w);
		return;
	}
	w->dead = r->tables == NULL;
	w->pings = ping ? w->pings + 1 : 0;
	w->head.missed = w->dead ? w->head.missed + 1 : 0;
	w->head.state = (uint8_t)(ping && w->head.state != 0 ? w->head.state : r->state);
	w->head.key = w->conf->key;
	w->head.epoch = poller.epoch;
	w->head.started = r->started;
	w->head.finished = r->finished;
	w->head.requests = r->requests;
	w->head.timeouts = r->timeouts;
	w->head.complete = r->tables != NULL ? (uint8_t)tables_complete(r->tables) : 0;
	w->head.uptime_cs = r->tables != NULL ? tables_uptime_cs(r->tables) : 0;
	w->head.dropped_rows = r->tables != NULL ? tables_dropped(r->tables) : 0;
	snprintf(w->head.credential, sizeof w->head.credential, "%s", r->credential != NULL ? r->credential : "");
	snprintf(w->head.error, sizeof w->head.error, "%s", r->error != NULL ? r->error : "");
	w->known = true;
	if (r->tables != NULL && report_rows(r->tables, &w->last, &now) == 0) {
		size_t at = 0;
		struct row_ref row;

		for (w->head.fdb_rows = 0; rowset_next(&now, &at, &row);)
			w->head.fdb_rows += row.n > 0 && row.p[0] == ROW_FDB;
		report(w, &now);
		rowset_free(&w->last);
		w->last = now;		/* a report not put whole is followed by a snapshot */
	} else
		report(w, &w->last);
	tables_free(r->tables);
	schedule(w);
}

static void
tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct timeval tv = { 0, TICK_MS * 1000 };
	struct mono now = mono_now();
	unsigned started = 0;

	(void)fd, (void)what, (void)arg;
	event_add(poller.tick, &tv);
	for (struct sw *w = poller.all; w != NULL && poller.engine != NULL && !chan_busy(poller.engine); w = w->next) {
		if (!w->reported && w->known && !poll_running(w->poll))
			report(w, &w->last);
		if (started >= STARTS_PER_TICK || poller.running >= RUNNING_MAX || poll_running(w->poll) || mono_since(w->due, now) < 0)
			continue;
		started++;
		poller.running++;
		w->due = mono_add(now, 3600000);
		if (w->ping)
			poll_ping(w->poll);
		else
			poll_start(w->poll);
	}
}

static void
engine_message(void *arg, struct chan *c, uint16_t type, struct msg_in *body, int fd)
{
	uint64_t key = get_u64(body);

	(void)arg, (void)c, (void)fd;
	for (struct sw *w = poller.all; w != NULL; w = w->next) {
		if (body->bad || w->conf->key != key || (type != MSG_RESYNC && type != MSG_POLL_NOW))
			continue;
		w->reported = w->reported && type != MSG_RESYNC;
		w->again = poll_running(w->poll);
		if (!w->again) {
			w->ping = false;
			w->due = mono_now();
		}
	}
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
	struct buf b = { 0 };

	(void)arg, (void)index, (void)role;
	chan_free(poller.engine);
	if ((poller.engine = chan_new(poller.base, fd, &ops, NULL)) == NULL)
		fatal("no channel to the engine");
	put_u64(&b, poller.epoch);
	chan_put(poller.engine, MSG_HELLO, &b);
	buf_free(&b);
	for (struct sw *w = poller.all; w != NULL; w = w->next)
		w->reported = false;
}

static bool
same(const struct sw *w, const struct conf *nc, const struct conf_switch *n)
{
	const struct conf_switch *o = w->conf;

	if (!str_eq(o->name, n->name) || !ip_eq(&o->address.ip, &n->address.ip) || o->address.port != n->address.port ||
	    o->poll_interval_s != n->poll_interval_s || o->max_rows != n->max_rows || o->max_in_flight != n->max_in_flight ||
	    o->credentials.n != n->credentials.n || o->n_reply_from != n->n_reply_from)
		return false;
	for (size_t i = 0; i < n->n_reply_from; i++)
		if (!ip_eq(&o->reply_from[i], &n->reply_from[i]))
			return false;
	for (size_t i = 0; i < n->credentials.n; i++) {
		const struct conf_credential *a = conf_credential(w->ref->conf, o->credentials.v[i]), *b = conf_credential(nc, n->credentials.v[i]);

		if (!str_eq(o->credentials.v[i], n->credentials.v[i]) || a == NULL || b == NULL || a->version != b->version ||
		    !str_eq(a->community, b->community) || !str_eq(a->user, b->user) || a->auth != b->auth || a->priv != b->priv ||
		    !str_eq(a->auth_secret, b->auth_secret) || !str_eq(a->priv_secret, b->priv_secret))
			return false;
	}
	return true;
}

static void
ref_drop(struct conf_ref *r)
{
	if (--r->users == 0) {
		conf_free(r->conf);
		free(r);
	}
}

static void
sw_bind(struct sw *w, struct conf_ref *ref, const struct conf_switch *c)
{
	if (w->poll != NULL) {
		poller.running -= poll_running(w->poll);
		poll_free(w->poll);
		ref_drop(w->ref);
	}
	w->ref = ref;
	ref->users++;
	w->conf = c;
	w->ping = w->again = w->dead = false;
	w->due = mono_now();
	if ((w->poll = poll_new(poller.snmp, ref->conf, c, poll_done, w)) == NULL)
		fatal("out of memory");
}

static int
configure(void *arg, const void *p, size_t n)
{
	struct conf *c = conf_decode(p, n);
	struct conf_ref *ref = calloc(1, sizeof *ref);

	(void)arg;
	if (c == NULL || ref == NULL) {
		conf_free(c);
		free(ref);
		return -EBADMSG;
	}
	*ref = (struct conf_ref){ c, 1 };
	for (size_t i = 0; i < c->n_switches; i++) {
		struct sw *w = poller.all;

		while (w != NULL && w->conf->key != c->switches[i].key)
			w = w->next;
		if (w == NULL) {
			if ((w = calloc(1, sizeof *w)) == NULL)
				fatal("out of memory");
			w->next = poller.all;
			poller.all = w;
			sw_bind(w, ref, &c->switches[i]);
		} else if (!same(w, c, &c->switches[i]))
			sw_bind(w, ref, &c->switches[i]);
		w->keep = true;
	}
	for (struct sw **at = &poller.all, *w; (w = *at) != NULL;) {
		if (w->keep) {
			w->keep = false;
			at = &w->next;
			continue;
		}
		*at = w->next;
		poller.running -= poll_running(w->poll);
		poll_free(w->poll);
		rowset_free(&w->last);
		ref_drop(w->ref);
		free(w);
	}
	ref_drop(ref);
	child_ready();
	return 0;
}

int
poller_main(unsigned index)
{
	static const struct child_ops ops = { .configure = configure, .peer = peer_came };
	struct timeval tv = { 0, TICK_MS * 1000 };

	(void)index;
	if ((poller.base = event_base_new()) == NULL || (poller.snmp = snmp_new(poller.base)) == NULL ||
	    (poller.tick = event_new(poller.base, -1, 0, tick_cb, NULL)) == NULL ||
	    getrandom(&poller.epoch, sizeof poller.epoch, 0) != (ssize_t)sizeof poller.epoch)
		fatal("the poller cannot start");
	event_add(poller.tick, &tv);
	return child_run(poller.base, &ops, NULL);
}
