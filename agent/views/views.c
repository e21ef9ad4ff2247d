/* agent/views/views.c: the views role: questions from the control socket. Devices and events are read from the store
 * (read-only), the rest is asked of the engine, whose answers are passed on piece by piece. It decides nothing. */
#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "base/text.h"
#include "config/conf.h"
#include "proc/chan.h"
#include "proc/child.h"
#include "proc/messages.h"
#include "store/store.h"
#include "views/control.h"
#include "views/documents.h"
#include "views/stations.h"

#define EVENTS_DEFAULT 1000
#define EVENTS_MAX 2000			/* of one answer: others wait while it is made */
#define FIND_SILENT_S 60		/* between two pieces of one answer */
#define QUEUED_S 60			/* for a question to get its turn */
#define NO_ENGINE "the engine does not answer"

struct views {
	struct event_base	*base;
	struct conf		*conf;
	struct control		*control;
	struct store		*store;		/* NULL until the engine has made it */
	struct stat		 store_file;	/* which one is open */
	struct chan		*engine;
	struct pending		*pending;	/* oldest first; only while `finding` */
	uint32_t		 finding;	/* the `find` that the engine is answering; 0: none */
	struct event		*find_timer;
	uint64_t		 refused;
};

/* A question that has to wait for its turn. */
struct pending { struct pending *next; struct msg_query query; unsigned seconds; };

/* Takes `doc` over. */
static void
send_document(struct views *v, uint32_t id, json_t *doc)
{
	char *text = doc != NULL ? json_dumps(doc, JSON_COMPACT) : NULL;
	const char *p = text != NULL ? text : "{\"version\":1,\"error\":\"out of memory\"}";

	control_send(v->control, id, p, strlen(p), false);
	free(text);
	json_decref(doc);
}

static void
send_error(struct views *v, uint32_t id, const char *text)
{
	send_document(v, id, error_document(text));
}

/* ---- from the store */

struct collect { const struct filter *filter; json_t *list; size_t seen; uint32_t last; };

static int
device_each(void *arg, const struct detection *d)
{
	struct collect *c = arg;

	if (filter_device(c->filter, d))
		json_array_append_new(c->list, device_json(d));
	return 0;
}

static int
event_each(void *arg, const struct event *e)
{
	struct collect *c = arg;

	c->seen++;
	c->last = e->sequence;
	if (filter_event(c->filter, e))
		json_array_append_new(c->list, event_json(e));
	return 0;
}

static int
presence_each(void *arg, const struct place *at, struct wall from, struct wall to)
{
	return json_array_append_new(arg, presence_json(at, from, to));
}

/* The engine may have moved a broken file aside and begun a new one: what is open must be what lies there. */
static bool
store_ready(struct views *v)
{
	char path[384];
	struct stat st;
	int n = snprintf(path, sizeof path, "%s/camtrapd.db", v->conf->state_dir);

	if (n < 0 || (size_t)n >= sizeof path || stat(path, &st) < 0)
		st = (struct stat){ 0 };
	if (v->store != NULL && (st.st_ino != v->store_file.st_ino || st.st_dev != v->store_file.st_dev)) {
		store_close(v->store);
		v->store = NULL;
	}
	if (v->store == NULL && (st.st_ino == 0 || store_open_reader(&v->store, v->conf->state_dir) < 0)) {
		store_close(v->store);
		v->store = NULL;
	}
	v->store_file = st;
	return v->store != NULL;
}

/* Closed after a failure: the engine may have moved a broken file aside. */
static bool
store_failed(struct views *v, int rc)
{
	static long long last_ms;

	if (rc >= 0)
		return false;
	if (log_limit(&last_ms))
		log_warnx("the store cannot be read: %s", store_error(v->store));
	store_close(v->store);
	v->store = NULL;
	return true;
}

static void
answer_devices(struct views *v, uint32_t id, const struct filter *f)
{
	struct collect c = { .filter = f, .list = json_array() };

	if (store_failed(v, store_detections(v->store, device_each, &c))) {
		json_decref(c.list);
		send_error(v, id, "the store cannot be read");
		return;
	}
	send_document(v, id, list_document("devices", c.list));
}

static void
answer_device(struct views *v, uint32_t id, const char *argument)
{
	struct filter f = { 0 };
	struct collect c = { .filter = &f, .list = NULL };
	json_t *history, *device;
	uint64_t number;

	if (num_parse(argument, 1, UINT32_MAX, &number) < 0) {
		send_error(v, id, "bad request: a device is named by its number");
		return;
	}
	f.id = (uint32_t)number;
	c.list = json_array();
	history = json_array();
	if (store_failed(v, store_detections(v->store, device_each, &c))
	    || store_failed(v, store_presences(v->store, f.id, presence_each, history))) {
		send_error(v, id, "the store cannot be read");
	} else if ((device = json_array_get(c.list, 0)) == NULL) {
		send_error(v, id, "no such device");
	} else {
		json_object_set(device, "history", history);
		send_document(v, id, json_pack("{s:i, s:O}", "version", 1, "device", device));
	}
	json_decref(history);
	json_decref(c.list);
}

static int
epoch_of(struct views *v, uint32_t *epoch)
{
	struct buf b = { 0 };
	int rc = store_meta_get(v->store, "epoch", &b);
	struct msg_in m = msg_in_of(b.p, b.len);

	*epoch = get_u32(&m);
	if (rc == 0 && !msg_in_done(&m))
		rc = -EBADMSG;
	buf_free(&b);
	return rc;
}

/* Numbers count within an epoch: a reader who says which one he knows begins anew where state was lost. */
static void
answer_events(struct views *v, uint32_t id, const struct filter *f, const json_t *request)
{
	struct collect c = { .filter = f, .list = json_array() };
	const json_t *known = json_object_get(request, "epoch");
	json_t *doc;
	json_int_t after = json_integer_value(json_object_get(request, "after")), limit = json_integer_value(json_object_get(request, "limit"));
	uint32_t epoch;

	if (limit <= 0)
		limit = EVENTS_DEFAULT;
	if (after < 0 || after > UINT32_MAX || limit > EVENTS_MAX) {
		json_decref(c.list);
		send_error(v, id, "bad request: after or limit is out of range");
		return;
	}
	if (store_failed(v, epoch_of(v, &epoch))) {
		json_decref(c.list);
		send_error(v, id, "the store cannot be read");
		return;
	}
	if (json_is_integer(known) && json_integer_value(known) != epoch)
		after = 0;
	if (store_failed(v, store_events(v->store, (struct wall){ f->since_us }, (uint32_t)after, (size_t)limit, event_each, &c))) {
		json_decref(c.list);
		send_error(v, id, "the store cannot be read");
		return;
	}
	if ((doc = list_document("events", c.list)) != NULL) {	/* where a reader goes on */
		json_object_set_new(doc, "epoch", json_integer(epoch));
		json_object_set_new(doc, "after", json_integer(c.seen > 0 ? (json_int_t)c.last : after));
		json_object_set_new(doc, "more", json_boolean(c.seen == (size_t)limit));
	}
	send_document(v, id, doc);
}

/* ---- from the engine */

static void
query_send(struct views *v, const struct msg_query *q, unsigned seconds)
{
	struct timeval silent = { FIND_SILENT_S, 0 };
	struct buf b = { 0 };

	assert(v->finding == 0 && seconds > 0);
	msg_query_encode(&b, q);
	if (v->engine == NULL || b.bad || chan_put(v->engine, MSG_QUERY, &b) < 0) {
		send_error(v, q->id, NO_ENGINE);
	} else {
		control_wait(v->control, q->id, seconds);
		if (strcmp(q->command, "find") == 0) {
			v->finding = q->id;
			evtimer_add(v->find_timer, &silent);
		}
	}
	buf_free(&b);
}

/* One `find` at a time: its answer may be all that the channel holds, and what others asked would be lost behind it. */
static void
ask_engine(struct views *v, const struct msg_query *q, unsigned seconds)
{
	struct pending *p, **end = &v->pending;

	if (v->finding == 0) {
		query_send(v, q, seconds);
		return;
	}
	if ((p = calloc(1, sizeof *p)) == NULL) {
		send_error(v, q->id, "out of memory");
		return;
	}
	p->query = *q;
	p->seconds = seconds;
	while (*end != NULL)
		end = &(*end)->next;
	*end = p;
	control_wait(v->control, q->id, QUEUED_S);
}

/* The answer to a `find` is over: short questions have their turn before the next one. */
static void
find_over(struct views *v)
{
	evtimer_del(v->find_timer);
	v->finding = 0;
	while (v->finding == 0 && v->pending != NULL) {
		struct pending **take = &v->pending, *p;

		while (*take != NULL && strcmp((*take)->query.command, "find") == 0)
			take = &(*take)->next;
		if (*take == NULL)
			take = &v->pending;
		p = *take;
		*take = p->next;
		if (control_has(v->control, p->query.id))
			query_send(v, &p->query, p->seconds);
		free(p);
	}
}

static void
find_silent_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	find_over(arg);
}

/* The engine is gone, and with it all that was asked: said at once, not when each one's time is up. */
static void
engine_gone(struct views *v)
{
	for (struct pending *p = v->pending, *next; p != NULL; p = next) {
		next = p->next;
		free(p);
	}
	v->pending = NULL;
	v->finding = 0;
	evtimer_del(v->find_timer);
	if (v->control != NULL)
		control_give_up(v->control);
}

/* False: it was answered that it cannot be. */
static bool
find_begin(struct views *v, struct msg_query *q, const char *typed)
{
	struct stations *st;
	bool failed;

	find_argument(typed, q->argument);
	if ((st = stations_new(store_ready(v) ? v->store : NULL, q->argument, q->all, &failed)) == NULL) {
		send_error(v, q->id, failed && store_failed(v, -EIO) ? "the store cannot be read" : "out of memory");
		return false;
	}
	control_keep(v->control, q->id, st, stations_free);
	return true;
}

/* A piece of an answer to a client. */
static void
pass_on(struct views *v, uint32_t id, const void *p, size_t n, bool more)
{
	struct stations *st = control_kept(v->control, id);
	struct buf out = { 0 };

	if (st == NULL) {
		control_send(v->control, id, p, n, more);
		return;
	}
	stations_piece(st, v->store, p, n, &out);
	if (out.bad)
		log_warnx("out of memory: an answer is not whole");
	control_send(v->control, id, out.p != NULL ? (const void *)out.p : "", out.len, more);
	buf_free(&out);
}

static void
engine_message(void *arg, struct chan *c, uint16_t type, struct msg_in *body, int fd)
{
	static long long last_ms;
	struct views *v = arg;
	uint32_t id;
	uint8_t more;

	(void)c;
	if (fd >= 0)
		close(fd);
	id = get_u32(body);
	more = get_u8(body);
	if (type == MSG_ANSWER && !body->bad && more <= 1) {
		struct timeval silent_for = { FIND_SILENT_S, 0 };

		pass_on(v, id, body->p, msg_in_left(body), more == 1);
		if (id == v->finding && more == 1)
			evtimer_add(v->find_timer, &silent_for);
		else if (id == v->finding)
			find_over(v);
		return;
	}
	v->refused++;
	if (log_limit(&last_ms))
		log_warnx("message of type %u from the engine refused (%llu so far)", type, (unsigned long long)v->refused);
}

static void
engine_closed(void *arg, struct chan *c)
{
	struct views *v = arg;

	chan_free(c);
	if (v->engine == c)
		v->engine = NULL;
	engine_gone(v);
}

static const struct chan_ops engine_ops = { engine_message, engine_closed, NULL };

/* ---- requests */

/* `seconds`: how long the engine may be silent; 0: it is not asked. */
static const struct { const char *name; unsigned seconds; } commands[] = {
	{ "devices", 0 }, { "device", 0 }, { "events", 0 },
	{ "status", 60 }, { "switches", 60 }, { "topology", 60 }, { "doctor", 60 }, { "find", 60 }, { "test", 60 }, { "poll", 65 },
};

static void
command_run(struct views *v, uint32_t id, uint32_t uid, size_t command, const char *argument, const struct filter *f, const json_t *o)
{
	struct msg_query q = { .id = id, .uid = uid, .all = json_is_true(json_object_get(o, "all")) };

	text_cut(q.command, sizeof q.command, commands[command].name);
	text_cut(q.argument, sizeof q.argument, argument);
	if (commands[command].seconds > 0) {
		if (strcmp(q.command, "find") != 0 || find_begin(v, &q, argument))
			ask_engine(v, &q, commands[command].seconds);
	} else if (!store_ready(v))
		send_error(v, id, "the store is not there yet");
	else if (strcmp(q.command, "devices") == 0)
		answer_devices(v, id, f);
	else if (strcmp(q.command, "device") == 0)
		answer_device(v, id, argument);
	else
		answer_events(v, id, f, o);
}

static void
request_checked(struct views *v, uint32_t id, uint32_t uid, const json_t *o)
{
	const char *command = json_string_value(json_object_get(o, "command")), *wrong;
	const char *argument = json_string_value(json_object_get(o, "argument"));
	char text[200];
	struct filter f;
	size_t i = 0;

	if (command == NULL) {
		send_error(v, id, "bad request: no command");
		return;
	}
	if (argument == NULL)
		argument = "";
	if (strlen(argument) > 255) {
		send_error(v, id, "bad request: the argument is longer than 255 octets");
		return;
	}
	if ((wrong = filter_read(json_object_get(o, "filters"), wall_now(), &f)) != NULL) {
		snprintf(text, sizeof text, "bad request: %s", wrong);
		send_error(v, id, text);
		return;
	}
	while (i < nitems(commands) && strcmp(commands[i].name, command) != 0)
		i++;
	if (i == nitems(commands))
		send_error(v, id, "bad request: unknown command");
	else
		command_run(v, id, uid, i, argument, &f, o);
}

static void
request(void *arg, uint32_t id, uint32_t uid, const char *line, size_t n)
{
	struct views *v = arg;
	json_t *o = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);

	if (json_is_object(o))
		request_checked(v, id, uid, o);
	else
		send_error(v, id, "bad request: not one line with a JSON object");
	json_decref(o);
}

static void
silent(void *arg, uint32_t id)
{
	send_error(arg, id, NO_ENGINE);
}

/* ---- life */

static int
configure(void *arg, const void *conf, size_t size)
{
	struct views *v = arg;
	struct conf *c = conf_decode(conf, size);

	if (c == NULL) {
		log_error("the configuration from the parent cannot be read");
		return -EINVAL;
	}
	if (v->conf != NULL && !str_eq(v->conf->state_dir, c->state_dir)) {
		store_close(v->store);
		v->store = NULL;
	}
	conf_free(v->conf);
	v->conf = c;
	child_ready();
	return 0;
}

static void
listening(void *arg, int fd)
{
	struct views *v = arg;

	if (v->control != NULL)
		close(fd);
	else if ((v->control = control_new(v->base, fd, request, silent, v)) == NULL)
		fatal("out of memory");
}

static void
peer(void *arg, enum peer_role role, unsigned index, int fd)
{
	struct views *v = arg;

	(void)index;
	if (role != PEER_ENGINE) {
		close(fd);
		return;
	}
	chan_free(v->engine);
	engine_gone(v);
	if ((v->engine = chan_new(v->base, fd, &engine_ops, v)) == NULL)
		log_warnx("out of memory: no channel to the engine");
	store_close(v->store);		/* a new engine may have a new file */
	v->store = NULL;
}

int
views_main(void)
{
	static const struct child_ops ops = { .configure = configure, .peer = peer, .listen = listening };
	struct views v = { .base = event_base_new() };
	int status;

	if (v.base == NULL || (v.find_timer = evtimer_new(v.base, find_silent_cb, &v)) == NULL)
		fatal("no event base");
	status = child_run(v.base, &ops, &v);
	engine_gone(&v);
	control_free(v.control);
	chan_free(v.engine);
	event_free(v.find_timer);
	store_close(v.store);
	conf_free(v.conf);
	event_base_free(v.base);
	return status;
}
