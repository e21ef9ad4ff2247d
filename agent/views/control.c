/* agent/views/control.c: clients of the control socket on libevent. */
#include "views/control.h"

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

#define REQUEST_S 10			/* for the line to be there */
#define WRITE_S 30			/* without the client taking anything */

struct client {
	struct client		*next;
	struct control		*control;
	struct bufferevent	*bev;
	struct event		*silence;
	uint32_t		 id, uid;
	unsigned		 wait_s;	/* 0: nobody is waited for */
	bool			 asked, last;	/* the request is in; the whole answer is in the buffer */
};

struct control {
	struct event_base	*base;
	struct evconnlistener	*listener;
	char			 path[108];
	control_request		*request;
	control_silent		*silent;
	void			*arg;
	struct client		*clients;
	unsigned		 n_clients;
	uint32_t		 last_id;
};

static void
client_free(struct client *cl)
{
	for (struct client **p = &cl->control->clients; *p != NULL; p = &(*p)->next) {
		if (*p == cl) {
			*p = cl->next;
			cl->control->n_clients--;
			break;
		}
	}
	if (cl->silence != NULL)
		event_free(cl->silence);
	if (cl->bev != NULL)
		bufferevent_free(cl->bev);
	free(cl);
}

static struct client *
client_of(struct control *c, uint32_t id)
{
	for (struct client *cl = c->clients; cl != NULL; cl = cl->next)
		if (cl->id == id)
			return cl;
	return NULL;
}

static void
silence_cb(evutil_socket_t fd, short what, void *arg)
{
	struct client *cl = arg;

	(void)fd, (void)what;
	cl->control->silent(cl->control->arg, cl->id);
}

/* May free the client (through what it asks). */
static void
client_ask(struct client *cl, char *line, size_t n)
{
	struct timeval write = { WRITE_S, 0 };

	cl->asked = true;
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
	client_free(cl);
}

static void
accept_cb(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *from, int from_len, void *arg)
{
	struct control *c = arg;
	struct client *cl;
	struct ucred peer;
	socklen_t len = sizeof peer;
	struct timeval request = { REQUEST_S, 0 }, write = { WRITE_S, 0 };

	(void)listener, (void)from, (void)from_len;
	if (c->n_clients >= CONTROL_CLIENTS_MAX || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0
	    || (cl = calloc(1, sizeof *cl)) == NULL) {
		close(fd);
		return;
	}
	cl->control = c;
	cl->uid = (uint32_t)peer.uid;
	if (++c->last_id == 0)
		c->last_id = 1;
	cl->id = c->last_id;
	cl->next = c->clients;
	c->clients = cl;
	c->n_clients++;
	if ((cl->bev = bufferevent_socket_new(c->base, fd, BEV_OPT_CLOSE_ON_FREE)) == NULL) {
		close(fd);
		client_free(cl);
		return;
	}
	if ((cl->silence = evtimer_new(c->base, silence_cb, cl)) == NULL) {
		client_free(cl);
		return;
	}
	bufferevent_setcb(cl->bev, read_cb, write_cb, event_cb, cl);
	bufferevent_setwatermark(cl->bev, EV_READ, 0, 2 * CONTROL_REQUEST_MAX);
	bufferevent_set_timeouts(cl->bev, &request, &write);
	bufferevent_enable(cl->bev, EV_READ | EV_WRITE);
}

/* A listening descriptor at `path`, or a negative errno-like code. */
static int
socket_open(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct stat st;
	int fd, rc;

	if (strlen(path) >= sizeof un.sun_path)
		return -ENAMETOOLONG;
	memcpy(un.sun_path, path, strlen(path) + 1);
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);		/* left by a process that ended */
	if ((fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&un, sizeof un) < 0 || chmod(path, 0660) < 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	return fd;
}

struct control *
control_new(struct event_base *base, const char *run_dir, control_request *request, control_silent *silent, void *arg)
{
	struct control *c = calloc(1, sizeof *c);
	int fd, n;

	if (c == NULL) {
		log_error("out of memory: no control socket");
		return NULL;
	}
	*c = (struct control){ .base = base, .request = request, .silent = silent, .arg = arg };
	n = snprintf(c->path, sizeof c->path, "%s/control.sock", run_dir);
	if (n < 0 || (size_t)n >= sizeof c->path) {
		log_error("%s/control.sock: a socket's path has at most %zu octets", run_dir, sizeof c->path - 1);
		free(c);
		return NULL;
	}
	if (mkdir(run_dir, 0755) < 0 && errno != EEXIST)
		log_warn("%s", run_dir);
	if ((fd = socket_open(c->path)) < 0) {
		errno = -fd;
		log_warn("%s: no control socket", c->path);
		free(c);
		return NULL;
	}
	c->listener = evconnlistener_new(base, accept_cb, c, LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 32, fd);
	if (c->listener == NULL) {
		log_warn("%s: no control socket", c->path);
		close(fd);
		unlink(c->path);
		free(c);
		return NULL;
	}
	return c;
}

void
control_send(struct control *c, uint32_t id, const void *p, size_t n, bool more)
{
	struct client *cl = c != NULL ? client_of(c, id) : NULL;
	struct timeval again = { 0 };

	if (cl == NULL || cl->last)
		return;
	if (evbuffer_get_length(bufferevent_get_output(cl->bev)) + n > CONTROL_WAITING_MAX || bufferevent_write(cl->bev, p, n) < 0) {
		cl->last = true;
		log_warnx("a client of the control socket is too slow: dropped");
		bufferevent_trigger_event(cl->bev, BEV_EVENT_ERROR, BEV_OPT_DEFER_CALLBACKS);	/* not freed under our caller */
		return;
	}
	if (more) {
		if (cl->wait_s > 0) {
			again.tv_sec = cl->wait_s;
			evtimer_add(cl->silence, &again);
		}
		return;
	}
	evtimer_del(cl->silence);
	cl->last = true;
	bufferevent_write(cl->bev, "\n", 1);	/* so that write_cb comes even after an empty piece */
}

void
control_wait(struct control *c, uint32_t id, unsigned seconds)
{
	struct client *cl = client_of(c, id);
	struct timeval tv = { (time_t)seconds, 0 };

	if (cl == NULL)
		return;
	cl->wait_s = seconds;
	evtimer_add(cl->silence, &tv);
}

void
control_free(struct control *c)
{
	if (c == NULL)
		return;
	while (c->clients != NULL)
		client_free(c->clients);
	evconnlistener_free(c->listener);
	unlink(c->path);
	free(c);
}
