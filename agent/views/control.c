/* agent/views/control.c: clients of the control socket on libevent. */
#include "views/control.h"

#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"

#define REQUEST_S 10			/* for the whole line to be there */
#define WRITE_S 30			/* without the client taking anything */
#define TAKE_S 120			/* for all of a whole answer to be taken */
#define WRITE_MAX (1u << 20)		/* octets in one go: a large answer must leave as fast as it comes */

struct client {
	struct client		*next;		/* older */
	struct control		*control;
	struct bufferevent	*bev;
	struct event		*timer;		/* for the request, then for who answers, then for the taking */
	uint32_t		 id, uid;
	unsigned		 wait_s;	/* 0: nobody is waited for */
	bool			 asked, begun, last;	/* the request is in; some, all of the answer is in the buffer */
	void			*kept, (*free_kept)(void *p);
};

struct control {
	struct event_base	*base;
	struct evconnlistener	*listener;
	char			 path[108];
	control_request		*request;
	control_silent		*silent;
	void			*arg;
	struct client		*clients;	/* newest first */
	unsigned		 n_clients;
	uint32_t		 last_id;
	uint64_t		 dropped;	/* clients that were not served */
};

static void
client_free(struct client *cl)
{
	struct control *c = cl->control;
	struct client **p = &c->clients;

	while (*p != cl)
		p = &(*p)->next;
	*p = cl->next;
	assert(c->n_clients > 0);
	c->n_clients--;
	if (cl->free_kept != NULL)
		cl->free_kept(cl->kept);
	if (cl->timer != NULL)
		event_free(cl->timer);
	if (cl->bev != NULL)
		bufferevent_free(cl->bev);
	free(cl);
}

static struct client *
client_of(const struct control *c, uint32_t id)
{
	for (struct client *cl = c->clients; cl != NULL; cl = cl->next)
		if (cl->id == id)
			return cl;
	return NULL;
}

static void
client_timer(struct client *cl, unsigned seconds)
{
	struct timeval tv = { (time_t)seconds, 0 };

	evtimer_add(cl->timer, &tv);
}

/* The client is not served (any more); frees it. */
static void
client_drop(struct client *cl, const char *why)
{
	static long long last_ms;
	struct control *c = cl->control;

	c->dropped++;
	if (log_limit(&last_ms))
		log_warnx("a client of the control socket (uid %u) %s: dropped (%llu so far)", cl->uid, why, (unsigned long long)c->dropped);
	client_free(cl);
}

/* The one who answers does not: half a document is ended by closing, for whoever reads it to see. */
static void
client_unanswered(struct client *cl)
{
	if (cl->begun)
		client_drop(cl, "got half an answer");
	else
		cl->control->silent(cl->control->arg, cl->id);
}

static void
timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct client *cl = arg;

	(void)fd, (void)what;
	if (!cl->asked)
		client_drop(cl, "sent no whole request in time");
	else if (cl->last)
		client_drop(cl, "does not take its answer");
	else
		client_unanswered(cl);
}

/* May free the client (through what it asks). */
static void
client_ask(struct client *cl, const char *line, size_t n)
{
	struct timeval write = { WRITE_S, 0 };

	assert(!cl->asked);
	cl->asked = true;
	evtimer_del(cl->timer);
	bufferevent_set_timeouts(cl->bev, NULL, &write);
	cl->control->request(cl->control->arg, cl->id, cl->uid, line, n);
}

static void
client_refuse(struct client *cl, const char *document)
{
	cl->asked = true;
	control_send(cl->control, cl->id, document, strlen(document), false);
}

static void
read_cb(struct bufferevent *bev, void *arg)
{
	struct client *cl = arg;
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t n;
	char *line;

	if (cl->asked) {
		evbuffer_drain(in, evbuffer_get_length(in));	/* one request per connection */
		return;
	}
	if ((line = evbuffer_readln(in, &n, EVBUFFER_EOL_LF)) == NULL) {
		if (evbuffer_get_length(in) > CONTROL_REQUEST_MAX)
			client_refuse(cl, "{\"version\":1,\"error\":\"bad request: longer than 8192 octets\"}");
		return;
	}
	if (n > CONTROL_REQUEST_MAX)
		client_refuse(cl, "{\"version\":1,\"error\":\"bad request: longer than 8192 octets\"}");
	else
		client_ask(cl, line, n);
	free(line);
}

/* Everything we put is with the kernel. */
static void
write_cb(struct bufferevent *bev, void *arg)
{
	struct client *cl = arg;

	if (cl->last && evbuffer_get_length(bufferevent_get_output(bev)) == 0)
		client_free(cl);
}

static void
event_cb(struct bufferevent *bev, short what, void *arg)
{
	struct client *cl = arg;

	(void)bev;
	/* A client that only says it will not send more still wants its answer. */
	if ((what & BEV_EVENT_EOF) != 0 && (what & BEV_EVENT_READING) != 0 && cl->asked)
		return;
	if ((what & BEV_EVENT_TIMEOUT) != 0)
		client_drop(cl, "does not take its answer");
	else
		client_free(cl);
}

/* A place for one more: who has not even asked goes first, the oldest of them. */
static bool
place_make(struct control *c)
{
	struct client *idle = NULL;

	if (c->n_clients < CONTROL_CLIENTS_MAX)
		return true;
	for (struct client *cl = c->clients; cl != NULL; cl = cl->next)
		if (!cl->asked)
			idle = cl;
	if (idle == NULL)
		return false;
	client_drop(idle, "asks nothing while others wait");
	return true;
}

static struct client *
client_new(struct control *c, int fd, uint32_t uid)
{
	struct client *cl = calloc(1, sizeof *cl);

	if (cl == NULL) {
		close(fd);
		return NULL;
	}
	cl->control = c;
	cl->uid = uid;
	if (++c->last_id == 0)
		c->last_id = 1;
	cl->id = c->last_id;
	cl->next = c->clients;
	c->clients = cl;
	c->n_clients++;
	if ((cl->bev = bufferevent_socket_new(c->base, fd, BEV_OPT_CLOSE_ON_FREE)) == NULL) {
		close(fd);
		client_free(cl);
		return NULL;
	}
	if ((cl->timer = evtimer_new(c->base, timer_cb, cl)) == NULL) {
		client_free(cl);
		return NULL;
	}
	return cl;
}

static void
accept_cb(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int from_len, void *arg)
{
	static const char full[] = "{\"version\":1,\"error\":\"too many clients\"}\n";
	struct control *c = arg;
	struct client *cl;
	struct ucred peer;
	socklen_t len = sizeof peer;

	(void)listener, (void)from, (void)from_len;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0) {
		close(fd);
		return;
	}
	if (!place_make(c)) {
		c->dropped++;
		send(fd, full, sizeof full - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
		close(fd);
		return;
	}
	if ((cl = client_new(c, fd, (uint32_t)peer.uid)) == NULL)
		return;
	bufferevent_setcb(cl->bev, read_cb, write_cb, event_cb, cl);
	bufferevent_setwatermark(cl->bev, EV_READ, 0, 2 * CONTROL_REQUEST_MAX);
	bufferevent_set_max_single_write(cl->bev, WRITE_MAX);
	client_timer(cl, REQUEST_S);
	bufferevent_enable(cl->bev, EV_READ | EV_WRITE);
}

struct control *
control_new(struct event_base *base, int fd, control_request *request, control_silent *silent, void *arg)
{
	struct control *c = calloc(1, sizeof *c);

	if (c == NULL) {
		close(fd);
		return NULL;
	}
	*c = (struct control){ .base = base, .request = request, .silent = silent, .arg = arg };
	if ((c->listener = evconnlistener_new(base, accept_cb, c, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd)) == NULL) {
		close(fd);
		free(c);
		return NULL;
	}
	return c;
}

static size_t
waiting(const struct client *cl)
{
	return evbuffer_get_length(bufferevent_get_output(cl->bev));
}

/* Room for `n` more octets to `cl`. False: it was dropped. */
static bool
room_make(struct control *c, struct client *cl, size_t n)
{
	struct client *most = cl;
	size_t all = n;

	if (waiting(cl) + n > CONTROL_WAITING_MAX) {
		client_drop(cl, "is too slow");
		return false;
	}
	for (struct client *one = c->clients; one != NULL; one = one->next) {
		all += waiting(one);
		if (waiting(one) > waiting(most))
			most = one;
	}
	if (all <= CONTROL_WAITING_ALL)
		return true;
	client_drop(most, "is too slow");
	return most != cl;
}

void
control_send(struct control *c, uint32_t id, const void *p, size_t n, bool more)
{
	struct client *cl = c != NULL ? client_of(c, id) : NULL;

	if (cl == NULL || cl->last || !room_make(c, cl, n))
		return;
	assert(cl->asked);
	cl->begun = true;
	if (bufferevent_write(cl->bev, p, n) < 0) {
		client_drop(cl, "is more than memory holds");
		return;
	}
	if (more) {
		if (cl->wait_s > 0)
			client_timer(cl, cl->wait_s);
		return;
	}
	cl->last = true;
	client_timer(cl, TAKE_S);
	bufferevent_write(cl->bev, "\n", 1);	/* so that write_cb comes even after an empty piece */
}

void
control_wait(struct control *c, uint32_t id, unsigned seconds)
{
	struct client *cl = client_of(c, id);

	if (cl == NULL)
		return;
	assert(cl->asked && seconds > 0);
	cl->wait_s = seconds;
	client_timer(cl, seconds);
}

void
control_give_up(struct control *c)
{
	struct client *cl = c != NULL ? c->clients : NULL;

	while (cl != NULL) {
		if (cl->wait_s == 0 || cl->last) {
			cl = cl->next;
			continue;
		}
		cl->wait_s = 0;
		client_unanswered(cl);
		cl = c->clients;	/* that one is gone, or others are */
	}
}

void
control_keep(struct control *c, uint32_t id, void *p, void (*free_p)(void *p))
{
	struct client *cl = client_of(c, id);

	if (cl == NULL) {
		free_p(p);
		return;
	}
	assert(cl->kept == NULL);
	cl->kept = p;
	cl->free_kept = free_p;
}

void *
control_kept(struct control *c, uint32_t id)
{
	struct client *cl = c != NULL ? client_of(c, id) : NULL;

	return cl != NULL ? cl->kept : NULL;
}

bool
control_has(const struct control *c, uint32_t id)
{
	return client_of(c, id) != NULL;
}

unsigned
control_clients(const struct control *c)
{
	return c->n_clients;
}

void
control_free(struct control *c)
{
	if (c == NULL)
		return;
	while (c->clients != NULL)
		client_free(c->clients);
	evconnlistener_free(c->listener);
	free(c);
}
