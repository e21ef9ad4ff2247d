/* agent/views/views.c: the views role: questions from the control socket. Devices and events are read from the store
 * (read-only), the rest is asked of the engine, whose answers are passed on piece by piece. It decides nothing. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

#define ENGINE_SILENT_S 65		/* a poll now may take 60 */
#define EVENTS_DEFAULT 1000
#define EVENTS_MAX 10000
#define NO_ENGINE "the engine does not answer"

struct views {
	struct event_base	*base;
	struct conf		*conf;
	struct control		*control;
	struct store		*store;		/* NULL until the engine has made it */
	struct chan		*engine;
	uint64_t		 refused;
};

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
	json_t *list = arg;
	char a[WALL_TEXT], b[WALL_TEXT];

	json_array_append_new(list, json_pack("{s:s, s:i, s:s, s:i, s:s, s:s}", "switch", at->switch_name, "ifIndex", (int)at->if_index,
	    "port", at->port, "vlan", (int)at->vlan, "from", wall_text(from, a), "to", wall_text(to, b)));
	return 0;
}

static bool
store_ready(struct views *v)
{
	if (v->store == NULL && store_open_reader(&v->store, v->conf->state_dir) < 0) {
		store_close(v->store);
		v->store = NULL;
	}
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

static void
answer_events(struct views *v, uint32_t id, const struct filter *f, const json_t *request)
{
	struct collect c = { .filter = f, .list = json_array() };
	json_t *doc;
	json_int_t after = json_integer_value(json_object_get(request, "after")), limit = json_integer_value(json_object_get(request, "limit"));

	if (limit <= 0)
		limit = EVENTS_DEFAULT;
	if (after < 0 || after > UINT32_MAX || limit > EVENTS_MAX) {
		json_decref(c.list);
		send_error(v, id, "bad request: after or limit is out of range");
		return;
	}
	if (store_failed(v, store_events(v->store, (struct wall){ f->since_us }, (uint32_t)after, (size_t)limit, event_each, &c))) {
		json_decref(c.list);
		send_error(v, id, "the store cannot be read");
		return;
	}
	if ((doc = list_document("events", c.list)) != NULL) {	/* where a reader goes on */
		json_object_set_new(doc, "after", json_integer(c.seen > 0 ? (json_int_t)c.last : after));
		json_object_set_new(doc, "more", json_boolean(c.seen == (size_t)limit));
	}
	send_document(v, id, doc);
}

/* ---- from the engine */

static void
ask_engine(struct views *v, uint32_t id, uint32_t uid, const char *command, const char *argument, bool all)
{
	struct msg_query q = { .id = id, .all = all, .uid = uid };
	struct buf b = { 0 };

	text_cut(q.command, sizeof q.command, command);
	snprintf(q.argument, sizeof q.argument, "%s", argument);
	msg_query_encode(&b, &q);
	if (v->engine == NULL || b.bad || chan_put(v->engine, MSG_QUERY, &b) < 0)
		send_error(v, id, NO_ENGINE);
	else
		control_wait(v->control, id, ENGINE_SILENT_S);
	buf_free(&b);
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
		control_send(v->control, id, body->p, msg_in_left(body), more == 1);
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
}

static const struct chan_ops engine_ops = { engine_message, engine_closed, NULL };

/* ---- requests */

static const struct { const char *name; bool store; } commands[] = {
	{ "devices", true }, { "device", true }, { "events", true },
	{ "status", false }, { "switches", false }, { "find", false }, { "poll", false }, { "test", false },
};

static void
request_checked(struct views *v, uint32_t id, uint32_t uid, const json_t *o)
{
	const char *command = json_string_value(json_object_get(o, "command")), *wrong;
	const char *argument = json_string_value(json_object_get(o, "argument"));
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
	if ((wrong = filter_read(json_object_get(o, "filters"), &f)) != NULL) {
		char text[160];

		snprintf(text, sizeof text, "bad request: %s", wrong);
		send_error(v, id, text);
		return;
	}
	while (i < nitems(commands) && strcmp(commands[i].name, command) != 0)
		i++;
	if (i == nitems(commands))
		send_error(v, id, "bad request: unknown command");
	else if (!commands[i].store)
		ask_engine(v, id, uid, command, argument, json_is_true(json_object_get(o, "all")));
	else if (!store_ready(v))
		send_error(v, id, "the store is not there yet");
	else if (strcmp(command, "devices") == 0)
		answer_devices(v, id, &f);
	else if (strcmp(command, "device") == 0)
		answer_device(v, id, argument);
	else
		answer_events(v, id, &f, o);
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
	if (v->control == NULL && (v->control = control_new(v->base, c->run_dir, request, silent, v)) == NULL)
		return -EIO;
	child_ready();
	return 0;
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
	if ((v->engine = chan_new(v->base, fd, &engine_ops, v)) == NULL)
		log_warnx("out of memory: no channel to the engine");
	store_close(v->store);		/* a new engine may have a new file */
	v->store = NULL;
}

int
views_main(void)
{
	static const struct child_ops ops = { .configure = configure, .peer = peer };
	struct views v = { .base = event_base_new() };
	int status;

	if (v.base == NULL)
		fatal("no event base");
	status = child_run(v.base, &ops, &v);
	control_free(v.control);
	chan_free(v.engine);
	store_close(v.store);
	conf_free(v.conf);
	event_base_free(v.base);
	return status;
}
