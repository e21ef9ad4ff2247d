/* agent/proc/chan.c: packets of messages over a socket pair. Bounded both ways: a peer that does not read makes us busy, a
 * peer that writes much is served a few packets a turn. */
#include "proc/chan.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"

#define PACKETS_PER_TURN 16

struct packet {
	struct packet	*next;
	int		 fd;		/* -1, or one to go with it */
	struct buf	 bytes;
};

struct chan {
	int			 fd;
	struct event_base	*base;
	struct event		*readable, *writable;
	const struct chan_ops	*ops;
	void			*arg;
	struct packet		*first, *last;
	size_t			 queued;	/* octets */
	bool			 was_busy, closed;
	bool			 reading, doomed;	/* chan_free() while reading: the memory stays until that ends */
	uint64_t		 refused;
};

static void chan_readable_cb(evutil_socket_t fd, short what, void *arg);
static void chan_writable_cb(evutil_socket_t fd, short what, void *arg);

struct chan *
chan_new(struct event_base *base, int fd, const struct chan_ops *ops, void *arg)
{
	struct chan *c = calloc(1, sizeof *c);

	if (c == NULL)
		return NULL;
	evutil_make_socket_nonblocking(fd);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	c->base = base;
	c->ops = ops;
	c->arg = arg;
	c->fd = fd;
	c->readable = event_new(base, fd, EV_READ | EV_PERSIST, chan_readable_cb, c);
	c->writable = event_new(base, fd, EV_WRITE, chan_writable_cb, c);
	if (c->readable == NULL || c->writable == NULL || event_add(c->readable, NULL) < 0) {
		c->fd = -1;		/* stays the caller's */
		chan_free(c);
		return NULL;
	}
	return c;
}

static void
packet_free(struct packet *p)
{
	if (p->fd >= 0)
		close(p->fd);
	buf_free(&p->bytes);
	free(p);
}

void
chan_free(struct chan *c)
{
	if (c == NULL)
		return;
	assert(!c->doomed);		/* freed twice */
	if (c->readable != NULL)
		event_free(c->readable);
	if (c->writable != NULL)
		event_free(c->writable);
	for (struct packet *p = c->first, *next; p != NULL; p = next) {
		next = p->next;
		packet_free(p);
	}
	if (c->fd >= 0)
		close(c->fd);
	if (c->reading)
		c->doomed = true;
	else
		free(c);
}

/* Not in the queue yet. `fd` is duplicated. NULL: errno says why. */
static struct packet *
packet_new(int fd)
{
	struct packet *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	p->fd = -1;
	if (fd >= 0 && (p->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0) {
		free(p);
		return NULL;
	}
	return p;
}

static void
packet_append(struct chan *c, struct packet *p)
{
	assert((c->first == NULL) == (c->last == NULL));
	if (c->last != NULL)
		c->last->next = p;
	else
		c->first = p;
	c->last = p;
}

int
chan_put_fd(struct chan *c, uint16_t type, const struct buf *body, int fd)
{
	size_t n = body != NULL ? body->len : 0, before;
	struct packet *p = c->last, *fresh = NULL;

	if ((body != NULL && body->bad) || n > CHAN_BODY_MAX)
		return -EMSGSIZE;
	if (c->closed || c->queued + n > CHAN_QUEUE_MAX)
		return -ENOBUFS;
	if (p == NULL || p->fd >= 0 || fd >= 0 || p->bytes.len + 8 + n > CHAN_PACKET_MAX)
		if ((p = fresh = packet_new(fd)) == NULL)
			return errno == EMFILE ? -EMFILE : -ENOBUFS;
	before = p->bytes.len;
	put_u16(&p->bytes, type);
	put_u16(&p->bytes, CHAN_VERSION);
	put_u32(&p->bytes, (uint32_t)n);
	if (n > 0)
		put_bytes(&p->bytes, body->p, n);
	if (p->bytes.bad) {		/* half a message must never leave */
		if (fresh != NULL) {
			packet_free(fresh);
		} else {
			p->bytes.len = before;
			p->bytes.bad = false;
		}
		return -ENOBUFS;
	}
	assert(p->bytes.len <= CHAN_PACKET_MAX);
	if (fresh != NULL)
		packet_append(c, fresh);
	c->queued += 8 + n;
	if (chan_busy(c))
		c->was_busy = true;
	event_add(c->writable, NULL);
	return 0;
}

int
chan_put(struct chan *c, uint16_t type, const struct buf *body)
{
	return chan_put_fd(c, type, body, -1);
}

bool
chan_busy(const struct chan *c)
{
	return c->queued > CHAN_QUEUE_MAX / 4;
}

uint64_t
chan_refused(const struct chan *c)
{
	return c->refused;
}

static ssize_t
packet_send(int fd, const struct packet *p)
{
	union { struct cmsghdr h; char space[CMSG_SPACE(sizeof(int))]; } control = { 0 };
	struct iovec iov = { p->bytes.p, p->bytes.len };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (p->fd >= 0) {
		m.msg_control = &control;
		m.msg_controllen = sizeof control.space;
		control.h.cmsg_level = SOL_SOCKET;
		control.h.cmsg_type = SCM_RIGHTS;
		control.h.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.h), &p->fd, sizeof p->fd);
	}
	return sendmsg(fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void
chan_flush(struct chan *c)
{
	while (c->first != NULL) {
		struct packet *p = c->first;

		if (packet_send(c->fd, p) < 0) {
			if (errno == EINTR)
				continue;
			if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)
				event_add(c->writable, NULL);
			return;		/* any other error shows as end of file on reading */
		}
		assert(p->bytes.len > 0 && c->queued >= p->bytes.len);
		c->queued -= p->bytes.len;
		if ((c->first = p->next) == NULL)
			c->last = NULL;
		packet_free(p);
	}
}

static void
chan_writable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct chan *c = arg;

	(void)fd, (void)what;
	chan_flush(c);
	if (c->was_busy && !chan_busy(c)) {
		c->was_busy = false;
		if (c->ops->drained != NULL)
			c->ops->drained(c->arg, c);
	}
}

/* Whole and of our version? Checked before the first message is handed out. */
static bool
packet_is_whole(const uint8_t *p, size_t n)
{
	struct msg_in m = msg_in_of(p, n);

	while (msg_in_left(&m) > 0) {
		uint16_t version;
		uint32_t len;

		get_u16(&m);
		version = get_u16(&m);
		len = get_u32(&m);
		if (m.bad || version != CHAN_VERSION || len > msg_in_left(&m))
			return false;
		m.p += len;
	}
	return n > 0;
}

static void
packet_dispatch(struct chan *c, const uint8_t *p, size_t n, int fd)
{
	struct msg_in m = msg_in_of(p, n);

	while (!c->doomed && msg_in_left(&m) > 0) {
		uint16_t type = get_u16(&m);
		uint32_t len = (get_u16(&m), get_u32(&m));
		struct msg_in body = msg_in_of(m.p, len);

		m.p += len;
		c->ops->message(c->arg, c, type, &body, fd);
		fd = -1;		/* belongs to the first message, whose reader owns it now */
	}
}

/* The one descriptor that came along, or -1. A sender that passes several has them all closed, and `*wrong` set: the room for
 * one descriptor holds two because of its alignment, and what nobody owns would stay open for ever. */
static int
descriptor_of(struct msghdr *m, bool *wrong)
{
	int fd = -1;

	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h != NULL; h = CMSG_NXTHDR(m, h)) {
		size_t n = h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS ? (h->cmsg_len - CMSG_LEN(0)) / sizeof fd : 0;

		for (size_t i = 0; i < n; i++) {
			if (fd >= 0) {
				close(fd);
				*wrong = true;
			}
			memcpy(&fd, CMSG_DATA(h) + i * sizeof fd, sizeof fd);
		}
	}
	if (*wrong && fd >= 0)
		close(fd);
	return *wrong ? -1 : fd;
}

static void
packet_refused(struct chan *c, size_t n, int fd)
{
	static long long last_ms;

	c->refused++;
	if (fd >= 0)
		close(fd);
	if (log_limit(&last_ms))
		log_warnx("packet of %zu octets from another process refused (%llu so far)", n, (unsigned long long)c->refused);
}

static void
chan_readable_cb(evutil_socket_t sock, short what, void *arg)
{
	static uint8_t packet[CHAN_PACKET_MAX];
	struct chan *c = arg;

	(void)what;
	assert(!c->reading && !c->doomed);
	c->reading = true;
	for (int i = 0; i < PACKETS_PER_TURN && !c->doomed; i++) {
		union { struct cmsghdr h; char space[CMSG_SPACE(sizeof(int))]; } control;
		struct iovec iov = { packet, sizeof packet };
		struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control };
		ssize_t n = recvmsg(sock, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
		bool wrong;
		int fd;

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0) {
			event_del(c->readable);
			c->closed = true;
			c->ops->closed(c->arg, c);
			break;
		}
		wrong = (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
		fd = descriptor_of(&m, &wrong);
		if (wrong || !packet_is_whole(packet, (size_t)n)) {
			packet_refused(c, (size_t)n, fd);
			continue;
		}
		packet_dispatch(c, packet, (size_t)n, fd);
	}
	c->reading = false;
	if (c->doomed)
		free(c);
}
