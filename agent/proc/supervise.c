/* agent/proc/supervise.c: starting, joining, watching and restarting the roles. The parent reads nothing from the network and
 * never opens the database. */
#include "proc/supervise.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "proc/chan.h"
#include "proc/child.h"
#include "proc/messages.h"

#define BACKOFF_FIRST_MS 100
#define BACKOFF_MAX_MS 60000
#define STEADY_MS 60000			/* a life longer than this forgives earlier deaths */
#define PING_S 5
#define STALL_MS 30000
#define STOP_S 10

struct role {
	enum peer_role	 peer;
	const char	*name;
	enum conf_for	 conf;
};

static const struct role roles[] = {
	{ PEER_ENGINE,	"engine",	CONF_FOR_ENGINE },
	{ PEER_NOTIFY,	"notify",	CONF_FOR_NOTIFY },
	{ PEER_VIEWS,	"views",	CONF_FOR_VIEWS },
	{ PEER_POLLER,	"poller",	CONF_FOR_POLLER },
};

struct kid {
	const struct role	*role;
	unsigned		 index;
	char			 name[32];
	pid_t			 pid;		/* 0: not running */
	struct chan		*chan;
	bool			 ready, told_down;
	uint32_t		 restarts;
	int64_t			 backoff_ms;
	struct mono		 started, last_pong;
	struct event		*restart;
};

static struct parent {
	struct event_base	*base;
	struct conf		*conf;
	struct conf		*(*reload)(const char *path);
	bool			 verbose, stopping, said_ready;
	int			 status;
	struct kid		*kids;
	size_t			 n;
	uint64_t		 pings;
	const char		*notify_socket;
} parent;

static void kid_start(struct kid *k);

/* sd_notify(3) by hand: one datagram. */
static void
sd_say(const char *text)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t n;
	int fd;

	if (parent.notify_socket == NULL || (n = strlen(parent.notify_socket)) >= sizeof to.sun_path || n < 2)
		return;
	memcpy(to.sun_path, parent.notify_socket, n);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0';
	if ((fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) < 0)
		return;
	if (sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
		log_warn("sd_notify");
	close(fd);
}

static struct kid *
engine_kid(void)
{
	return &parent.kids[0];
}

static void
tell_engine(const struct kid *k, bool up, const char *why)
{
	struct msg_process m = { .up = up, .restarts = k->restarts };
	struct buf b = { 0 };

	if (engine_kid()->chan == NULL)
		return;
	snprintf(m.who, sizeof m.who, "%s", k->name);
	snprintf(m.why, sizeof m.why, "%s", why);
	msg_process_encode(&b, &m);
	chan_put(engine_kid()->chan, MSG_PROCESS, &b);
	buf_free(&b);
}

static void
kid_configure(struct kid *k)
{
	struct buf b = { 0 };
	int fd;

	conf_encode(parent.conf, k->role->conf, k->index, &b);
	if (b.bad || (fd = memfd_create("conf", MFD_CLOEXEC | MFD_ALLOW_SEALING)) < 0)
		fatal("no memory for the configuration of %s", k->name);
	for (size_t at = 0; at < b.len;) {
		ssize_t n = write(fd, b.p + at, b.len - at);

		if (n < 0)
			fatal("configuration of %s: %s", k->name, strerror(errno));
		at += (size_t)n;
	}
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	chan_put_fd(k->chan, MSG_CONF, NULL, fd);
	close(fd);
	explicit_bzero(b.p, b.len);
	buf_free(&b);
}

static void
peer_send(struct kid *to, const struct kid *other, int fd)
{
	struct msg_peer m = { (uint8_t)other->role->peer, (uint8_t)other->index };
	struct buf b = { 0 };

	msg_peer_encode(&b, &m);
	chan_put_fd(to->chan, MSG_PEER, &b, fd);
	buf_free(&b);
}

/* Every role talks with the engine, and with nobody else. */
static void
kid_join(struct kid *k)
{
	struct kid *engine = engine_kid();

	for (size_t i = 1; i < parent.n; i++) {
		struct kid *other = &parent.kids[i];
		int pair[2];

		if ((k != engine && k != other) || engine->chan == NULL || other->chan == NULL)
			continue;
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
			fatal("socketpair: %s", strerror(errno));
		for (int j = 0; j < 2; j++) {
			int size = 1 << 20;

			setsockopt(pair[j], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
		}
		peer_send(engine, other, pair[0]);
		peer_send(other, engine, pair[1]);
		close(pair[0]);
		close(pair[1]);
	}
}

static void
kid_ready(struct kid *k)
{
	k->ready = true;
	if (k->told_down) {
		log_info("%s is back", k->name);
		tell_engine(k, true, "restarted");
		k->told_down = false;
	}
	if (parent.said_ready)
		return;
	for (size_t i = 0; i < parent.n; i++)
		if (!parent.kids[i].ready)
			return;
	parent.said_ready = true;
	log_info("ready: %zu switches, %zu receivers, %zu processes", parent.conf->n_switches, parent.conf->n_receivers, parent.n + 1);
	sd_say("READY=1");
}

static void
kid_message(void *arg, struct chan *c, uint16_t type, struct msg_in *body, int fd)
{
	struct kid *k = arg;
	char text[160], line[200];

	(void)c;
	if (fd >= 0)
		close(fd);
	switch (type) {
	case MSG_READY:
		kid_ready(k);
		break;
	case MSG_PONG:
		k->last_pong = mono_now();
		break;
	case MSG_STATUS:
		get_text_into(body, text, sizeof text);
		snprintf(line, sizeof line, "STATUS=%s", text);
		sd_say(line);
		break;
	default:
		log_warnx("message of unknown type %u from %s dropped", type, k->name);
	}
}

static void
kid_closed(void *arg, struct chan *c)
{
	struct kid *k = arg;

	chan_free(c);
	k->chan = NULL;			/* the rest follows with SIGCHLD */
}

static const struct chan_ops kid_ops = { kid_message, kid_closed, NULL };

static void
restart_cb(evutil_socket_t fd, short what, void *arg)
{
	struct kid *k = arg;

	(void)fd, (void)what;
	if (!parent.stopping)
		kid_start(k);
}

static void
kid_exec(const struct kid *k, int fd)
{
	char role[32];
	char *const argv[] = { (char *)"camtrapd", (char *)"--role", role, parent.verbose ? (char *)"-v" : NULL, NULL };

	snprintf(role, sizeof role, "%s:%u", k->role->name, k->index);
	if (fd != CHILD_FD && dup2(fd, CHILD_FD) < 0)
		_exit(1);
	if (fd == CHILD_FD)
		fcntl(fd, F_SETFD, 0);
	close_range(CHILD_FD + 1, ~0U, 0);
	unsetenv("NOTIFY_SOCKET");
	execv("/proc/self/exe", argv);
	_exit(127);
}

static void
kid_start(struct kid *k)
{
	sigset_t none;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		fatal("socketpair: %s", strerror(errno));
	k->pid = fork();
	if (k->pid < 0)
		fatal("fork: %s", strerror(errno));
	if (k->pid == 0) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		kid_exec(k, pair[1]);
	}
	close(pair[1]);
	k->started = k->last_pong = mono_now();
	k->ready = false;
	if ((k->chan = chan_new(parent.base, pair[0], &kid_ops, k)) == NULL)
		fatal("out of memory");
	kid_configure(k);
	kid_join(k);
}

static void
kid_ended(struct kid *k, int status)
{
	char why[96];
	struct timeval delay;

	if (WIFSIGNALED(status))
		snprintf(why, sizeof why, "ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(why, sizeof why, "ended with status %d", WEXITSTATUS(status));
	k->pid = 0;
	chan_free(k->chan);
	k->chan = NULL;
	k->ready = false;
	if (parent.stopping)
		return;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 78) {
		log_error("%s cannot work with what is configured; stopping", k->name);
		parent.status = 78;
		raise(SIGTERM);
		return;
	}
	if (mono_since(k->started, mono_now()) > STEADY_MS)
		k->backoff_ms = 0;
	k->backoff_ms = k->backoff_ms == 0 ? BACKOFF_FIRST_MS : k->backoff_ms * 2;
	if (k->backoff_ms > BACKOFF_MAX_MS)
		k->backoff_ms = BACKOFF_MAX_MS;
	k->restarts++;
	k->told_down = true;
	log_warnx("%s %s; restart %u in %" PRId64 " ms", k->name, why, k->restarts, k->backoff_ms);
	tell_engine(k, false, why);
	delay.tv_sec = k->backoff_ms / 1000;
	delay.tv_usec = k->backoff_ms % 1000 * 1000;
	event_add(k->restart, &delay);
}

static void
sigchld_cb(evutil_socket_t sig, short what, void *arg)
{
	int status;
	pid_t pid;
	size_t alive = 0;

	(void)sig, (void)what, (void)arg;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < parent.n; i++)
			if (parent.kids[i].pid == pid)
				kid_ended(&parent.kids[i], status);
	for (size_t i = 0; i < parent.n; i++)
		alive += parent.kids[i].pid > 0;
	if (parent.stopping && alive == 0)
		event_base_loopbreak(parent.base);
}

static void
sighup_cb(evutil_socket_t sig, short what, void *arg)
{
	char line[64];
	struct conf *fresh;

	(void)sig, (void)what, (void)arg;
	snprintf(line, sizeof line, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, mono_now().ms * 1000);
	sd_say(line);
	if ((fresh = parent.reload(parent.conf->path)) == NULL) {
		log_error("reload: the configuration is wrong (see above); the one in force stays");
		sd_say("READY=1\nSTATUS=reload refused: the configuration is wrong");
		return;
	}
	if (fresh->pollers != parent.conf->pollers) {
		log_warnx("reload: agent.pollers stays %u until a restart", parent.conf->pollers);
		fresh->pollers = parent.conf->pollers;
	}
	if (!str_eq(fresh->state_dir, parent.conf->state_dir) || !str_eq(fresh->run_dir, parent.conf->run_dir))
		log_warnx("reload: state_dir and run_dir stay as they are until a restart");
	conf_free(parent.conf);
	parent.conf = fresh;
	for (size_t i = 0; i < parent.n; i++)
		if (parent.kids[i].chan != NULL)
			kid_configure(&parent.kids[i]);
	log_info("reloaded: %zu switches, %zu receivers", fresh->n_switches, fresh->n_receivers);
	sd_say("READY=1");
}

static void
stop_late_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what, (void)arg;
	for (size_t i = 0; i < parent.n; i++) {
		if (parent.kids[i].pid > 0) {
			log_warnx("%s did not end in %d s; killed", parent.kids[i].name, STOP_S);
			kill(parent.kids[i].pid, SIGKILL);
		}
	}
}

static void
sigterm_cb(evutil_socket_t sig, short what, void *arg)
{
	static const struct timeval late = { STOP_S, 0 };
	bool again = parent.stopping;

	(void)sig, (void)what, (void)arg;
	parent.stopping = true;
	sd_say("STOPPING=1");
	if (again) {
		stop_late_cb(-1, 0, NULL);
		return;
	}
	for (size_t i = 0; i < parent.n; i++)
		if (parent.kids[i].chan != NULL)
			chan_put(parent.kids[i].chan, MSG_STOP, NULL);
	event_base_once(parent.base, -1, EV_TIMEOUT, stop_late_cb, NULL, &late);
	sigchld_cb(SIGCHLD, 0, NULL);
}

static void
ping_cb(evutil_socket_t fd, short what, void *arg)
{
	bool all_well = true;
	struct buf b = { 0 };

	(void)fd, (void)what, (void)arg;
	put_u64(&b, ++parent.pings);
	for (size_t i = 0; i < parent.n; i++) {
		struct kid *k = &parent.kids[i];

		if (k->chan == NULL) {
			all_well = false;
			continue;
		}
		if (mono_since(k->last_pong, mono_now()) > STALL_MS && !parent.stopping) {
			log_error("%s has not answered for %d s; killed", k->name, STALL_MS / 1000);
			kill(k->pid, SIGKILL);
			all_well = false;
			continue;
		}
		chan_put(k->chan, MSG_PING, &b);
	}
	buf_free(&b);
	if (all_well)
		sd_say("WATCHDOG=1");
}

static void
kids_make(void)
{
	size_t at = 0;

	parent.n = nitems(roles) - 1 + parent.conf->pollers;
	if ((parent.kids = calloc(parent.n, sizeof *parent.kids)) == NULL)
		fatal("out of memory");
	for (size_t r = 0; r < nitems(roles); r++) {
		unsigned count = roles[r].peer == PEER_POLLER ? parent.conf->pollers : 1;

		for (unsigned i = 0; i < count; i++, at++) {
			struct kid *k = &parent.kids[at];

			k->role = &roles[r];
			k->index = i;
			if (roles[r].peer == PEER_POLLER)
				snprintf(k->name, sizeof k->name, "%s %u", roles[r].name, i);
			else
				snprintf(k->name, sizeof k->name, "%s", roles[r].name);
			if ((k->restart = evtimer_new(parent.base, restart_cb, k)) == NULL)
				fatal("out of memory");
		}
	}
}

int
supervise(struct conf *c, struct conf *(*reload)(const char *path), bool verbose)
{
	static const struct { int sig; void (*cb)(evutil_socket_t, short, void *); } signals[] = {
		{ SIGCHLD, sigchld_cb }, { SIGHUP, sighup_cb }, { SIGTERM, sigterm_cb }, { SIGINT, sigterm_cb },
	};
	struct event *ev[nitems(signals) + 1];
	static const struct timeval every = { PING_S, 0 };

	signal(SIGPIPE, SIG_IGN);
	parent = (struct parent){ .base = event_base_new(), .conf = c, .reload = reload, .verbose = verbose };
	parent.notify_socket = getenv("NOTIFY_SOCKET");
	if (parent.base == NULL)
		fatal("no event base");
	for (size_t i = 0; i < nitems(signals); i++) {
		ev[i] = evsignal_new(parent.base, signals[i].sig, signals[i].cb, NULL);
		event_add(ev[i], NULL);
	}
	ev[nitems(signals)] = event_new(parent.base, -1, EV_PERSIST, ping_cb, NULL);
	event_add(ev[nitems(signals)], &every);
	kids_make();
	for (size_t i = 0; i < parent.n; i++)
		kid_start(&parent.kids[i]);
	event_base_dispatch(parent.base);
	for (size_t i = 0; i < nitems(ev); i++)
		event_free(ev[i]);
	for (size_t i = 0; i < parent.n; i++) {
		chan_free(parent.kids[i].chan);
		event_free(parent.kids[i].restart);
	}
	free(parent.kids);
	conf_free(parent.conf);
	event_base_free(parent.base);
	log_info("stopped");
	return parent.status;
}
