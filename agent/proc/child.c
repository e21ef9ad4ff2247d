/* agent/proc/child.c: the life of a role process between exec and its end. */
#include "proc/child.h"

#include <assert.h>
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "proc/rights.h"

struct child {
	struct event_base	*base;
	const struct child_ops	*ops;
	void			*arg;
	struct chan		*parent;
	int			 status;
	bool			 ready;		/* the role says so */
	bool			 told_ready, tried_filter, filtered;
	bool			 leaving;
};

enum { TRIM_MS = 30000 };

static struct child child;
static enum peer_role child_role;

void
child_is(enum peer_role role)
{
	child_role = role;
}

/* After the first configuration: each role holds its sockets by then, or may open what it needs. */
static void
filter(void)
{
	child.tried_filter = true;
	child.filtered = rights_filter(child_role);
}

/* Not before the filter is there, so that the parent knows of it. */
static void
tell_ready(void)
{
	struct buf b = { 0 };

	if (!child.ready || child.told_ready || !child.tried_filter)
		return;
	put_u8(&b, child.filtered);
	child.told_ready = chan_put(child.parent, MSG_READY, &b) == 0;
	buf_free(&b);
}

static void
child_leave(int status)
{
	child.status = status;
	child.leaving = true;
	event_base_loopbreak(child.base);
}

/* The configuration comes as a sealed memory file: any size, one copy, gone when closed. */
static void
conf_received(int fd)
{
	struct stat st;
	void *p;
	int rc;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > (256 << 20)) {
		log_error("no configuration came from the parent");
		child_leave(1);
		return;
	}
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED) {
		log_warn("configuration of %lld octets", (long long)st.st_size);
		child_leave(1);
		return;
	}
	rc = child.ops->configure(child.arg, p, (size_t)st.st_size);
	munmap(p, (size_t)st.st_size);
	if (rc < 0) {
		child_leave(rc == -EPROTO ? 78 : rc == -EBUSY ? 75 : 1);
		return;
	}
	if (!child.tried_filter)
		filter();
	tell_ready();
}

/* What a busy moment needed goes back to the system: the sweep of thousands of switches leaves holes behind. */
static void
trim(void)
{
	static struct mono last;

	if (last.ms == 0)
		last = mono_now();	/* not amid the first sweep */
	if (mono_since(last, mono_now()) < TRIM_MS)
		return;
	last = mono_now();
	malloc_trim(0);
}

static void
parent_message(void *arg, struct chan *c, uint16_t type, struct msg_in *body, int fd)
{
	struct msg_peer peer;
	struct msg_process process;
	struct msg_reload reload;
	struct msg_role role;
	struct buf b = { 0 };

	(void)arg;
	if (child.leaving) {			/* what comes behind the end is nobody's */
		if (fd >= 0)
			close(fd);
		return;
	}
	switch (type) {
	case MSG_CONF:
		conf_received(fd);
		break;
	case MSG_PEER:
		if (msg_peer_decode(body, &peer) == 0 && fd >= 0) {
			child.ops->peer(child.arg, peer.role, peer.index, fd);
			fd = -1;
		}
		break;
	case MSG_LISTEN:
		if (child.ops->listen != NULL && fd >= 0) {
			child.ops->listen(child.arg, fd);
			fd = -1;
		}
		break;
	case MSG_PROCESS:
		if (child.ops->process != NULL && msg_process_decode(body, &process) == 0)
			child.ops->process(child.arg, &process);
		break;
	case MSG_RELOAD:
		if (child.ops->reload != NULL && msg_reload_decode(body, &reload) == 0)
			child.ops->reload(child.arg, &reload);
		break;
	case MSG_ROLE:
		if (child.ops->role != NULL && msg_role_decode(body, &role) == 0)
			child.ops->role(child.arg, &role);
		break;
	case MSG_PING:
		trim();
		put_u64(&b, get_u64(body));
		chan_put(c, MSG_PONG, &b);
		buf_free(&b);
		break;
	case MSG_STOP:
		if (child.ops->stop != NULL)
			child.ops->stop(child.arg);
		child_leave(0);
		break;
	default:
		log_warnx("message of unknown type %u from the parent dropped", type);
	}
	if (fd >= 0)
		close(fd);
}

static void
parent_closed(void *arg, struct chan *c)
{
	(void)arg, (void)c;
	log_warnx("the parent has gone; ending");
	if (child.ops->stop != NULL)
		child.ops->stop(child.arg);
	child_leave(0);
}

static const struct chan_ops parent_ops = { parent_message, parent_closed, NULL };

int
child_run(struct event_base *base, const struct child_ops *ops, void *arg)
{
	assert(ops->configure != NULL && ops->peer != NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);	/* a terminal's ^C reaches all; the parent says when to stop */
	signal(SIGHUP, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	child = (struct child){ .base = base, .ops = ops, .arg = arg };
	if ((child.parent = chan_new(base, CHILD_FD, &parent_ops, NULL)) == NULL)
		fatal("no channel to the parent");
	if (rights_role(child_role) < 0)
		return 1;
	if (child_role != PEER_VIEWS)
		filter();
	event_base_dispatch(base);
	chan_flush(child.parent);
	chan_free(child.parent);
	return child.status;
}

void
child_ready(void)
{
	child.ready = true;
	tell_ready();
}
