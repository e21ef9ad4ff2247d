/* agent/engine/loop.c: the engine process: channels, timer and time around engine.h. The only file of this folder that knows
 * the event loop. */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "base/text.h"
#include "engine/engine.h"
#include "proc/chan.h"
#include "proc/child.h"

#define IDENTITY_MS 1000

struct peer {
	enum peer_role	 role;
	unsigned	 index;
	struct chan	*chan;
};

static struct loop {
	struct event_base	*base;
	struct event		*timer;
	struct engine		*engine;
	struct registry		*registry;
	struct store		*store;
	unsigned		 pollers;
	struct peer		 peer[POLLERS_MAX], notify, views;
	bool			 identity_owed;	/* it could not be had */
	struct mono		 identity_at;	/* when it is tried again */
	uint64_t		 dropped;	/* messages that did not decode, came too early, or were not read by whom they are for */
} loop;

static struct moment
now(void)
{
	return (struct moment){ mono_now(), wall_now() };
}

static void
arm(int64_t ms)
{
	struct timeval tv = { ms / 1000, ms % 1000 * 1000 };

	event_add(loop.timer, &tv);
}

static void identity_tell(void);

static void
tick_cb(evutil_socket_t fd, short what, void *arg)
{
	int64_t next;

	(void)fd, (void)what, (void)arg;
	if (loop.engine == NULL)
		return;
	if (loop.identity_owed && mono_since(loop.identity_at, mono_now()) >= 0)
		identity_tell();
	next = engine_tick(loop.engine, now());
	if (engine_is_over(loop.engine, now())) {
		log_error("the database is broken: the engine starts again, and moves it aside");
		event_base_loopbreak(loop.base);	/* the parent starts us anew */
		return;
	}
	arm(loop.identity_owed && next > IDENTITY_MS ? IDENTITY_MS : next);
}

/* Counted, and said once a second: whoever does this can do it at will. */
static void
message_dropped(const char *who, unsigned index, uint16_t type)
{
	static long long said;

	loop.dropped++;
	if (loop.engine != NULL)
		engine_messages_dropped(loop.engine, loop.dropped);
	if (log_limit(&said))
		log_warnx("message of type %u %s %u dropped (%" PRIu64 " so far)", type, who, index, loop.dropped);
}

/* A call that may have left something due: the tick decides. */
static void
tick_soon(void)
{
	arm(1);
}

static unsigned
loop_poller_of(uint64_t key)
{
	return loop.pollers > 0 ? (unsigned)(key % loop.pollers) : 0;
}

static void
poller_say(unsigned poller, uint64_t key, uint16_t type)
{
	struct chan *c = loop.pollers > 0 ? loop.peer[poller].chan : NULL;
	struct buf b = { 0 };

	if (c == NULL)
		return;			/* a poller that comes back polls and sends everything anyway */
	put_u64(&b, key);
	if (chan_put(c, type, &b) < 0)
		message_dropped("for poller", poller, type);
	buf_free(&b);
}

static void
out_poll_now(void *arg, uint64_t key)
{
	(void)arg;
	if (key != 0)
		poller_say(loop_poller_of(key), key, MSG_POLL_NOW);
	for (unsigned i = 0; key == 0 && i < loop.pollers; i++)
		poller_say(i, 0, MSG_POLL_NOW);
}

static void
out_resync(void *arg, uint64_t key)
{
	(void)arg;
	poller_say(loop_poller_of(key), key, MSG_RESYNC);
}

static void
out_deliver(void *arg, const struct msg_deliver *m)
{
	struct buf b = { 0 };

	(void)arg;
	msg_deliver_encode(&b, m);
	/* What is not taken stays in the outbox: the engine tries again when notify is back, or after its time-out. */
	if (loop.notify.chan == NULL || chan_put(loop.notify.chan, MSG_DELIVER, &b) < 0)
		log_warnx("notification %s to %s waits: the notify process does not take it", m->event.id, m->receiver);
	buf_free(&b);
}

static void
out_random(void *arg, uint8_t *out, size_t n)
{
	(void)arg;
	if (getrandom(out, n, 0) != (ssize_t)n)
		fatal("no random numbers");
}

static void
out_answer(void *arg, uint32_t id, const char *json, size_t n, bool more)
{
	struct buf b = { 0 };

	(void)arg;
	if (loop.views.chan == NULL)
		return;
	put_u32(&b, id);
	put_u8(&b, more);
	put_bytes(&b, json, n);
	if (chan_put(loop.views.chan, MSG_ANSWER, &b) < 0)
		message_dropped("for views", 0, MSG_ANSWER);
	buf_free(&b);
}

static bool
out_answer_busy(void *arg)
{
	(void)arg;
	return loop.views.chan != NULL && chan_busy(loop.views.chan);
}

static const struct engine_ops out_ops = { out_poll_now, out_resync, out_deliver, out_random, out_answer, out_answer_busy };

static void
poller_message(struct peer *p, uint16_t type, struct msg_in *body)
{
	struct msg_counters counters;
	struct msg_report report;
	uint64_t key;

	switch (type) {
	case MSG_COUNTERS:
		if (msg_counters_decode(body, &counters) == 0) {
			engine_counters(loop.engine, p->index, &counters);
			return;
		}
		break;
	case MSG_REPORT_BEGIN:
		if (msg_report_decode(body, &report) == 0) {
			engine_report_begin(loop.engine, &report, now());
			return;
		}
		break;
	case MSG_REPORT_ROWS:
		key = get_u64(body);
		if (!body->bad) {
			engine_report_rows(loop.engine, key, body);
			return;
		}
		break;
	case MSG_REPORT_END:
		key = get_u64(body);
		if (msg_in_done(body)) {
			engine_report_end(loop.engine, key, now());
			return;
		}
		break;
	default:
		break;
	}
	message_dropped("from poller", p->index, type);
}

static void
peer_message(void *arg, struct chan *c, uint16_t type, struct msg_in *body, int fd)
{
	struct peer *p = arg;
	struct msg_delivered delivered;
	struct msg_query query;
	const char *who = p->role == PEER_POLLER ? "from poller" : p->role == PEER_NOTIFY ? "from notify" : "from views";

	(void)c;
	if (fd >= 0)
		close(fd);
	if (loop.engine == NULL) {
		message_dropped(who, p->index, type);
		return;
	}
	if (p->role == PEER_POLLER)
		poller_message(p, type, body);
	else if (p->role == PEER_NOTIFY && type == MSG_DELIVERED && msg_delivered_decode(body, &delivered) == 0)
		engine_delivered(loop.engine, &delivered, now());
	else if (p->role == PEER_VIEWS && type == MSG_QUERY && msg_query_decode(body, &query) == 0)
		engine_query(loop.engine, &query, now());
	else
		message_dropped(who, p->index, type);
	tick_soon();
}

static void
peer_closed(void *arg, struct chan *c)
{
	struct peer *p = arg;

	chan_free(c);
	p->chan = NULL;
	if (p->role == PEER_NOTIFY && loop.engine != NULL)
		engine_notify_up(loop.engine, false, now());
	if (p->role == PEER_VIEWS && loop.engine != NULL)
		engine_views_gone(loop.engine);
}

static void
peer_drained(void *arg, struct chan *c)
{
	(void)arg, (void)c;
	tick_soon();
}

static const struct chan_ops peer_ops = { peer_message, peer_closed, peer_drained };

/* Without an identity nothing can be sent: asked for again until there is one. */
static void
identity_tell(void)
{
	static long long said;
	struct msg_identity id;
	struct buf b = { 0 };
	int rc;

	loop.identity_owed = false;
	if (loop.engine == NULL || loop.notify.chan == NULL)
		return;
	if ((rc = engine_identity(loop.engine, &id, now())) < 0) {
		if (log_limit(&said))
			log_error("our SNMP engine id cannot be had, so nothing can be sent: %s; tried again", strerror(-rc));
		loop.identity_owed = true;
		loop.identity_at = mono_add(mono_now(), IDENTITY_MS);
		return;
	}
	msg_identity_encode(&b, &id);
	if (chan_put(loop.notify.chan, MSG_IDENTITY, &b) == 0)
		engine_notify_up(loop.engine, true, now());
	buf_free(&b);
}

static void
peer_cb(void *arg, enum peer_role role, unsigned index, int fd)
{
	struct peer *p = role == PEER_POLLER && index < POLLERS_MAX ? &loop.peer[index] : role == PEER_NOTIFY ? &loop.notify :
	    role == PEER_VIEWS ? &loop.views : NULL;

	(void)arg;
	if (p == NULL) {
		close(fd);
		return;
	}
	chan_free(p->chan);
	p->role = role;
	p->index = index;
	if ((p->chan = chan_new(loop.base, fd, &peer_ops, p)) == NULL)
		fatal("out of memory");
	if (role == PEER_NOTIFY)
		identity_tell();
	tick_soon();
}

/* NULL: not one of its files can be read, and so no maker would be known: to find nothing is not to see nothing. */
static struct registry *
registry_read(const struct conf *c, size_t *missing)
{
	struct registry *r = registry_load((const char *const *)c->registry.v, c->registry.n, missing);

	if (r == NULL)
		fatal("out of memory while reading the registry");
	if (*missing < c->registry.n)
		return r;
	registry_free(r);
	log_error("registry: none of %zu files can be read", c->registry.n);
	return NULL;
}

static void
registry_complain(const struct conf *c, size_t missing)
{
	char text[160];

	if (missing == 0)
		return;
	text_printf(text, sizeof text, "registry: %zu of %zu files cannot be read; makers may go unrecognised", missing, c->registry.n);
	log_warnx("%s", text);
	engine_trouble(loop.engine, text, now());
}

static int
configure(void *arg, const void *p, size_t n)
{
	struct conf *c = conf_decode(p, n);
	struct store_opened opened;
	struct registry *fresh, *old = loop.registry;
	size_t missing;
	int rc;

	(void)arg;
	if (c == NULL) {
		log_error("the configuration from the parent cannot be read");
		return -EINVAL;
	}
	if ((fresh = registry_read(c, &missing)) == NULL && loop.engine == NULL) {
		conf_free(c);
		return -EPROTO;
	}
	loop.pollers = c->pollers <= POLLERS_MAX ? c->pollers : POLLERS_MAX;
	if (loop.engine != NULL) {
		if (fresh == NULL)
			log_error("registry: the one read before stays in use");
		loop.registry = fresh != NULL ? fresh : old;
		engine_configure(loop.engine, c, loop.registry, now());
		if (fresh != NULL)
			registry_free(old);
		registry_complain(c, missing);
		tick_soon();
		return 0;
	}
	loop.registry = fresh;
	if (mkdir(c->state_dir, 0750) < 0 && errno != EEXIST)
		log_warn("%s", c->state_dir);
	if ((rc = store_open(&loop.store, c->state_dir, wall_now(), &opened)) < 0) {
		log_error("database in %s: %s", c->state_dir,
		    rc == -EPROTO ? "written by a newer camtrapd; left as it is" : store_error(loop.store));
		conf_free(c);
		return rc;
	}
	if (opened.state_lost)
		log_error("the database was broken: moved to %s; starting with an empty one", opened.moved_to);
	loop.engine = engine_new(c, loop.registry, loop.store, &opened, &out_ops, NULL, now());
	if (loop.engine == NULL) {
		log_error("what the database holds cannot be loaded: %s", store_error(loop.store));
		conf_free(c);
		return -EIO;
	}
	engine_messages_dropped(loop.engine, loop.dropped);
	registry_complain(c, missing);
	child_ready();
	tick_soon();
	return 0;
}

static void
process_cb(void *arg, const struct msg_process *m)
{
	(void)arg;
	if (loop.engine != NULL)
		engine_process(loop.engine, m, now());
	tick_soon();
}

static void
reload_cb(void *arg, const struct msg_reload *m)
{
	(void)arg;
	if (loop.engine != NULL)
		engine_reload(loop.engine, m);
}

static void
role_cb(void *arg, const struct msg_role *m)
{
	(void)arg;
	if (loop.engine != NULL)
		engine_role(loop.engine, m);
}

static void
stop_cb(void *arg)
{
	(void)arg;
	if (loop.engine != NULL)
		engine_stop(loop.engine, now());
}

int
engine_main(void)
{
	static const struct child_ops ops = { .configure = configure, .peer = peer_cb, .process = process_cb, .stop = stop_cb,
		.reload = reload_cb, .role = role_cb };
	int status;

	if ((loop.base = event_base_new()) == NULL || (loop.timer = evtimer_new(loop.base, tick_cb, NULL)) == NULL)
		fatal("no event base");
	status = child_run(loop.base, &ops, NULL);
	for (unsigned i = 0; i < POLLERS_MAX; i++)
		chan_free(loop.peer[i].chan);
	chan_free(loop.notify.chan);
	chan_free(loop.views.chan);
	engine_free(loop.engine);
	store_close(loop.store);
	registry_free(loop.registry);
	event_free(loop.timer);
	event_base_free(loop.base);
	return status;
}
