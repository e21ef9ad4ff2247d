/* agent/proc/supervise.c: starting, joining, watching and restarting the roles. The parent reads nothing from the network and
 * never opens the database. */
#include "proc/supervise.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "proc/backoff.h"
#include "proc/chan.h"
#include "proc/child.h"
#include "proc/messages.h"
#include "proc/rundir.h"
#include "proc/sd_notify.h"

#define PING_MS 5000
#define STALL_MS 30000			/* without an answer: killed */
#define START_MS 120000			/* the same while it reads its configuration and the database */
#define STOP_S 10
#define STOP_AGAIN_MS 1000		/* one stop may come as two signals: to us and to our process group */

struct role {
	enum peer_role	 peer;
	const char	*name;
	enum conf_for	 conf;
	bool		 large;			/* its heap is of many megabytes */
};

static const struct role roles[] = {
	{ PEER_ENGINE,	"engine",	CONF_FOR_ENGINE,	true },
	{ PEER_NOTIFY,	"notify",	CONF_FOR_NOTIFY,	false },
	{ PEER_VIEWS,	"views",	CONF_FOR_VIEWS,		false },
	{ PEER_POLLER,	"poller",	CONF_FOR_POLLER,	true },
};

struct kid {
	const struct role	*role;
	unsigned		 index;
	char			 name[32];
	pid_t			 pid;		/* 0: not running, `restart` is due */
	struct chan		*chan;		/* NULL: not running, or it closed its end */
	bool			 ready, told_down, filtered;
	bool			 untold;	/* its end was no engine's to hear: the next one's */
	bool			 looping;	/* as last told */
	uint32_t		 restarts;
	struct backoff		 backoff;
	struct mono		 started, last_pong;
	struct wall		 since;		/* of its state */
	uint64_t		 pong;		/* the last ping it answered */
	int			 conf_fd;	/* its new configuration during a reload; -1 */
	const char		*killed_for;	/* by us; NULL: not */
	char			 why[96];	/* it ended last */
	struct event		*restart;
};

static struct parent {
	struct event_base	*base;
	struct conf		*conf;
	supervise_reload	*reload;
	bool			 verbose, stopping, said_ready;
	struct mono		 stop_began;
	int			 status;
	struct kid		*kids;
	size_t			 n;
	uint64_t		 pings;
	struct msg_reload	 reloaded;	/* at.us 0: never */
	int			 lock, control;	/* of run_dir; control -1: none */
	char			 control_path[SOCKET_PATH];
} parent;

static struct kid *
engine_kid(void)
{
	return &parent.kids[0];
}

/* ---- what is told of the processes */

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

/* A steady life is out of the loop though its backoff hears of that only when it ends. */
static bool
kid_loops(const struct kid *k)
{
	return backoff_loops(&k->backoff) && !(k->ready && mono_since(k->started, mono_now()) > BACKOFF_STEADY_MS);
}

static void
role_tell(const struct kid *k)
{
	struct msg_role m = { .pid = (uint32_t)k->pid, .restarts = k->restarts, .looping = kid_loops(k), .filtered = k->filtered,
		.since = k->since };
	struct buf b = { 0 };

	if (engine_kid()->chan == NULL)
		return;
	m.state = (uint8_t)(k->pid == 0 ? ROLE_WAITING : k->ready ? ROLE_UP : ROLE_STARTING);
	snprintf(m.who, sizeof m.who, "%s", k->name);
	msg_role_encode(&b, &m);
	chan_put(engine_kid()->chan, MSG_ROLE, &b);
	buf_free(&b);
}

static void
reload_tell(void)
{
	struct buf b = { 0 };

	if (engine_kid()->chan == NULL || parent.reloaded.at.us == 0)
		return;
	msg_reload_encode(&b, &parent.reloaded);
	chan_put(engine_kid()->chan, MSG_RELOAD, &b);
	buf_free(&b);
}

/* The worst that is true now. */
static void
status_say(void)
{
	size_t unfiltered = 0;

	if (parent.stopping)
		return;
	for (size_t i = 0; i < parent.n; i++) {
		if (kid_loops(&parent.kids[i])) {
			sd_status("%s keeps ending (restart %u): %s", parent.kids[i].name, parent.kids[i].restarts, parent.kids[i].why);
			return;
		}
		unfiltered += parent.kids[i].ready && !parent.kids[i].filtered;
	}
	if (!parent.said_ready)
		sd_status("starting");
	else if (parent.reloaded.at.us != 0 && !parent.reloaded.ok)
		sd_status("the last reload was refused: %s", parent.reloaded.why);
	else if (unfiltered > 0)
		sd_status("%zu switches, %zu receivers, %zu processes, %zu of them without a system call filter", parent.conf->n_switches,
		    parent.conf->n_receivers, parent.n + 1, unfiltered);
	else
		sd_status("%zu switches, %zu receivers, %zu processes", parent.conf->n_switches, parent.conf->n_receivers, parent.n + 1);
}

static void
kid_changed(struct kid *k)
{
	k->looping = kid_loops(k);
	role_tell(k);
	status_say();
}

/* ---- one process */

/* The rest follows with SIGCHLD. */
static void
kid_kill(struct kid *k, const char *why)
{
	if (k->pid == 0)
		return;
	assert(k->pid > 1);		/* kill(0) and kill(-1) are us and everybody */
	log_error("%s %s; killed", k->name, why);
	k->killed_for = why;
	kill(k->pid, SIGKILL);
}

/* A sealed memory file with what the role may know; a negative errno-like code. */
static int
conf_file(const struct kid *k, const struct conf *conf)
{
	struct buf b = { 0 };
	int rc = 0, fd = -1;

	conf_encode(conf, k->role->conf, k->index, &b);
	if (b.bad)
		rc = -ENOMEM;
	else if ((fd = memfd_create("conf", MFD_CLOEXEC | MFD_ALLOW_SEALING)) < 0)
		rc = -errno;
	for (size_t at = 0; rc == 0 && at < b.len;) {
		ssize_t n = write(fd, b.p + at, b.len - at);

		if (n > 0)
			at += (size_t)n;
		else if (n == 0 || errno != EINTR)
			rc = n == 0 ? -EIO : -errno;
	}
	if (rc == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		rc = -errno;
	if (b.p != NULL)
		explicit_bzero(b.p, b.len);
	buf_free(&b);
	if (rc < 0 && fd >= 0)
		close(fd);
	return rc < 0 ? rc : fd;
}

/* Closes `fd`. */
static void
conf_send(struct kid *k, int fd)
{
	if (chan_put_fd(k->chan, MSG_CONF, NULL, fd) < 0)
		kid_kill(k, "cannot be given its configuration");	/* it starts anew with it */
	close(fd);
}

static void
peer_send(struct kid *to, const struct kid *other, int fd)
{
	struct msg_peer m = { (uint8_t)other->role->peer, (uint8_t)other->index };
	struct buf b = { 0 };

	msg_peer_encode(&b, &m);
	if (chan_put_fd(to->chan, MSG_PEER, &b, fd) < 0)
		kid_kill(to, "cannot be given its channel to another process");
	buf_free(&b);
}

/* Every role talks with the engine, and with nobody else. What cannot be joined is started anew: a pair without a channel would
 * be silent for ever. */
static void
kid_join(struct kid *k)
{
	struct kid *engine = engine_kid();

	for (size_t i = 1; i < parent.n; i++) {
		struct kid *other = &parent.kids[i];
		int pair[2];

		if ((k != engine && k != other) || engine->chan == NULL || other->chan == NULL)
			continue;
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
			kid_kill(k, "cannot be joined: no socket pair");
			return;
		}
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
kid_ready(struct kid *k, bool filtered)
{
	if (k->ready)
		return;
	k->ready = true;
	k->filtered = filtered;
	k->since = wall_now();
	if (k->told_down) {
		log_info("%s is back", k->name);
		tell_engine(k, true, "restarted");
		k->told_down = false;
	}
	for (size_t i = 0; i < parent.n && !parent.said_ready; i++) {
		if (!parent.kids[i].ready)
			break;
		if (i + 1 < parent.n)
			continue;
		parent.said_ready = true;
		log_info("ready: %zu switches, %zu receivers, %zu processes", parent.conf->n_switches, parent.conf->n_receivers,
		    parent.n + 1);
		sd_say("READY=1");
	}
	kid_changed(k);
}

static void
kid_message(void *arg, struct chan *c, uint16_t type, struct msg_in *body, int fd)
{
	static long long last_ms;
	struct kid *k = arg;
	uint64_t v;

	(void)c;
	if (fd >= 0)
		close(fd);
	if (type == MSG_READY) {
		v = get_u8(body);
		if (msg_in_done(body)) {
			kid_ready(k, v != 0);
			return;
		}
	} else if (type == MSG_PONG) {
		v = get_u64(body);
		if (msg_in_done(body) && v <= parent.pings) {
			k->pong = v;
			k->last_pong = mono_now();
			return;
		}
	}
	if (log_limit(&last_ms))
		log_warnx("message of type %u from %s dropped", type, k->name);
}

static void
kid_closed(void *arg, struct chan *c)
{
	struct kid *k = arg;

	chan_free(c);
	k->chan = NULL;			/* it is ending, or ping_cb() ends it */
}

static const struct chan_ops kid_ops = { kid_message, kid_closed, NULL };

/* The environment of a role. A heap in pages of 2 MB, where the system has them for who asks: a first sweep touches all of it, and to
 * get it in pages of 4 KB took a quarter of its time. The C library takes this wish from here only; what the user has set there
 * stays. NULL: out of memory. */
static char **
kid_environment(const struct role *r)
{
	static char large[] = "GLIBC_TUNABLES=glibc.malloc.hugetlb=1";
	char **env;
	size_t n = 0;

	while (environ[n] != NULL)
		n++;
	if ((env = calloc(n + 2, sizeof *env)) == NULL)
		return NULL;
	memcpy(env, environ, n * sizeof *env);
	if (r->large && getenv("GLIBC_TUNABLES") == NULL)
		env[n] = large;
	return env;
}

/* Not by fork(): that copies our memory's map for a process which leaves it at once, and costs us a copy of each page we write then. */
static int
kid_exec(const struct kid *k, int fd, pid_t *pid)
{
	char role[32];
	char *const argv[] = { (char *)"camtrapd", (char *)"--role", role, parent.verbose ? (char *)"-v" : NULL, NULL };
	char **env = kid_environment(k->role);
	posix_spawn_file_actions_t files;
	posix_spawnattr_t how;
	sigset_t none;
	int rc = ENOMEM;

	snprintf(role, sizeof role, "%s:%u", k->role->name, k->index);
	sigemptyset(&none);
	if (env != NULL && posix_spawnattr_init(&how) == 0) {
		if (posix_spawn_file_actions_init(&files) == 0) {
			if ((rc = posix_spawnattr_setsigmask(&how, &none)) == 0 && (rc = posix_spawnattr_setflags(&how, POSIX_SPAWN_SETSIGMASK)) == 0 &&
			    (rc = posix_spawn_file_actions_adddup2(&files, fd, CHILD_FD)) == 0 &&
			    (rc = posix_spawn_file_actions_addclosefrom_np(&files, CHILD_FD + 1)) == 0)
				rc = posix_spawn(pid, "/proc/self/exe", &files, &how, argv, env);
			posix_spawn_file_actions_destroy(&files);
		}
		posix_spawnattr_destroy(&how);
	}
	free(env);
	return -rc;
}

/* 0: runs, and has been sent its configuration. A negative errno-like code: nothing was started. */
static int
kid_spawn(struct kid *k)
{
	int conf = conf_file(k, parent.conf), pair[2], rc;

	assert(k->pid == 0 && k->chan == NULL);
	if (conf < 0)
		return conf;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		rc = -errno;
		close(conf);
		return rc;
	}
	if ((k->chan = chan_new(parent.base, pair[0], &kid_ops, k)) == NULL) {
		close(pair[0]);
		rc = -ENOMEM;
	} else if ((rc = kid_exec(k, pair[1], &k->pid)) < 0) {
		chan_free(k->chan);
		k->chan = NULL;
		k->pid = 0;
	}
	close(pair[1]);
	if (rc == 0 && k->role->peer == PEER_VIEWS && parent.control >= 0 && chan_put_fd(k->chan, MSG_LISTEN, NULL, parent.control) < 0)
		kid_kill(k, "cannot be given the control socket");
	if (rc == 0)
		conf_send(k, conf);
	else
		close(conf);
	return rc;
}

static void
kid_restart_later(struct kid *k)
{
	int64_t ms = backoff_ended(&k->backoff, k->started, mono_now());
	struct timeval delay = { ms / 1000, ms % 1000 * 1000 };
	bool loops = backoff_loops(&k->backoff);

	assert(k->pid == 0 && k->chan == NULL);
	k->restarts++;
	k->told_down = true;
	(loops ? log_error : log_warnx)("%s %s; restart %u in %" PRId64 " ms%s", k->name, k->why, k->restarts, ms,
	    loops ? " (it ended more than 5 times in a minute)" : "");
	k->untold = engine_kid()->chan == NULL;
	tell_engine(k, false, k->why);
	event_add(k->restart, &delay);
	kid_changed(k);
}

static void
kid_start(struct kid *k)
{
	int rc;

	k->started = k->last_pong = mono_now();
	k->since = wall_now();
	k->pong = parent.pings;
	k->ready = k->filtered = false;
	k->killed_for = NULL;
	if ((rc = kid_spawn(k)) < 0) {
		snprintf(k->why, sizeof k->why, "cannot be started: %s", strerror(-rc));
		kid_restart_later(k);
		return;
	}
	kid_join(k);
	if (k == engine_kid()) {
		reload_tell();
		for (size_t i = 0; i < parent.n; i++) {
			role_tell(&parent.kids[i]);
			if (parent.kids[i].untold)
				tell_engine(&parent.kids[i], false, parent.kids[i].why);
			parent.kids[i].untold = false;
		}
	} else
		role_tell(k);
}

static void
restart_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	if (!parent.stopping)
		kid_start(arg);
}

static void
kid_ended(struct kid *k, int status)
{
	if (k->killed_for != NULL)
		snprintf(k->why, sizeof k->why, "%s and was killed", k->killed_for);
	else if (WIFSIGNALED(status))
		snprintf(k->why, sizeof k->why, "ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(k->why, sizeof k->why, "ended with status %d", WEXITSTATUS(status));
	k->pid = 0;
	chan_free(k->chan);
	k->chan = NULL;
	k->ready = k->filtered = false;
	k->since = wall_now();
	if (parent.stopping)
		return;
	/* A database of a newer version, or (75) one that another daemon has. Nobody else's word stops the daemon: who reads the network may have been taken over. */
	if (k == engine_kid() && WIFEXITED(status) && (WEXITSTATUS(status) == 78 || (WEXITSTATUS(status) == 75 && !parent.said_ready))) {
		log_error("%s cannot work with what is configured; stopping", k->name);
		parent.status = WEXITSTATUS(status) == 78 ? 78 : 1;
		raise(SIGTERM);
		return;
	}
	kid_restart_later(k);
}

/* ---- signals and the timer */

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
reload_ended(bool ok, const char *why)
{
	parent.reloaded = (struct msg_reload){ .at = wall_now(), .ok = ok };
	snprintf(parent.reloaded.why, sizeof parent.reloaded.why, "%s", why);
	if (!ok)
		log_error("reload refused, the configuration in force stays: %s", why);
	reload_tell();
	status_say();
	if (parent.said_ready)
		sd_say("READY=1");
}

/* What only a restart changes, so that no role finds it changed. */
static void
reload_keep(struct conf *fresh)
{
	struct { char **now, **fresh; const char *key; } paths[] = {
		{ &parent.conf->state_dir, &fresh->state_dir, "state_dir" }, { &parent.conf->run_dir, &fresh->run_dir, "run_dir" },
	};

	if (fresh->pollers != parent.conf->pollers)
		log_warnx("reload: agent.pollers stays %u until a restart", parent.conf->pollers);
	fresh->pollers = parent.conf->pollers;
	for (size_t i = 0; i < nitems(paths); i++) {
		char *other = *paths[i].fresh;

		if (!str_eq(other, *paths[i].now))
			log_warnx("reload: agent.%s stays %s until a restart", paths[i].key, *paths[i].now);
		*paths[i].fresh = *paths[i].now;	/* swapped: the old configuration is freed */
		*paths[i].now = other;
	}
}

/* All get the new configuration or none does. */
static int
reload_prepare(const struct conf *fresh)
{
	int rc = 0;

	for (size_t i = 0; i < parent.n; i++) {
		parent.kids[i].conf_fd = rc < 0 ? -1 : conf_file(&parent.kids[i], fresh);
		if (parent.kids[i].conf_fd < 0 && rc == 0)
			rc = parent.kids[i].conf_fd;
	}
	for (size_t i = 0; rc < 0 && i < parent.n; i++)
		if (parent.kids[i].conf_fd >= 0)
			close(parent.kids[i].conf_fd);
	return rc;
}

static void
sighup_cb(evutil_socket_t sig, short what, void *arg)
{
	char line[64], why[sizeof parent.reloaded.why] = "out of memory";
	struct conf *fresh;
	int rc;

	(void)sig, (void)what, (void)arg;
	if (parent.stopping)
		return;
	snprintf(line, sizeof line, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, mono_now().ms * 1000);
	if (parent.said_ready)
		sd_say(line);
	if ((fresh = parent.reload(parent.conf->path, why, sizeof why)) == NULL) {
		reload_ended(false, why);
		return;
	}
	reload_keep(fresh);
	if ((rc = reload_prepare(fresh)) < 0) {
		reload_keep(fresh);	/* swaps the paths back */
		conf_free(fresh);
		snprintf(why, sizeof why, "it cannot be handed out: %s", strerror(-rc));
		reload_ended(false, why);
		return;
	}
	conf_free(parent.conf);
	parent.conf = fresh;
	for (size_t i = 0; i < parent.n; i++) {
		struct kid *k = &parent.kids[i];

		if (k->chan != NULL)
			conf_send(k, k->conf_fd);
		else
			close(k->conf_fd);	/* it starts with it */
	}
	log_info("reloaded: %zu switches, %zu receivers", fresh->n_switches, fresh->n_receivers);
	reload_ended(true, "");
}

static void
kids_kill(const char *why)
{
	for (size_t i = 0; i < parent.n; i++) {
		if (parent.kids[i].pid > 0) {
			log_warnx("%s %s; killed", parent.kids[i].name, why);
			kill(parent.kids[i].pid, SIGKILL);
		}
	}
}

static void
stop_late_cb(evutil_socket_t fd, short what, void *arg)
{
	char why[40];

	(void)fd, (void)what, (void)arg;
	snprintf(why, sizeof why, "did not end in %d s", STOP_S);
	kids_kill(why);
}

static void
sigterm_cb(evutil_socket_t sig, short what, void *arg)
{
	static const struct timeval late = { STOP_S, 0 };

	(void)sig, (void)what, (void)arg;
	if (parent.stopping) {
		if (mono_since(parent.stop_began, mono_now()) > STOP_AGAIN_MS)
			kids_kill("has not ended yet and a second signal came");
		return;
	}
	parent.stopping = true;
	parent.stop_began = mono_now();
	sd_say("STOPPING=1");
	for (size_t i = 0; i < parent.n; i++)
		if (parent.kids[i].chan != NULL)
			chan_put(parent.kids[i].chan, MSG_STOP, NULL);
	event_base_once(parent.base, -1, EV_TIMEOUT, stop_late_cb, NULL, &late);
	sigchld_cb(SIGCHLD, 0, NULL);
}

/* Answered the last ping, or is within its time to start, or waits for its restart: a crash loop is told, but it is no reason for
 * systemd to end the processes that work. */
static bool
kid_is_well(const struct kid *k)
{
	return k->pid == 0 || k->pong == parent.pings || (!k->ready && k->chan != NULL);
}

static void
ping_cb(evutil_socket_t fd, short what, void *arg)
{
	bool all_well = true;
	struct buf b = { 0 };

	(void)fd, (void)what, (void)arg;
	if (parent.stopping)
		return;
	for (size_t i = 0; i < parent.n; i++) {
		struct kid *k = &parent.kids[i];

		all_well = all_well && kid_is_well(k);
		if (k->pid != 0 && mono_since(k->last_pong, mono_now()) > (k->ready || k->chan == NULL ? STALL_MS : START_MS)) {
			kid_kill(k, k->chan == NULL ? "closed its channel" : "does not answer");
			all_well = false;
		}
		if (kid_loops(k) != k->looping)
			kid_changed(k);
	}
	put_u64(&b, ++parent.pings);
	for (size_t i = 0; i < parent.n; i++)
		if (parent.kids[i].chan != NULL)
			chan_put(parent.kids[i].chan, MSG_PING, &b);
	buf_free(&b);
	if (all_well && parent.said_ready)
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
			k->conf_fd = -1;
			if (roles[r].peer == PEER_POLLER)
				snprintf(k->name, sizeof k->name, "%s %u", roles[r].name, i);
			else
				snprintf(k->name, sizeof k->name, "%s", roles[r].name);
			if ((k->restart = evtimer_new(parent.base, restart_cb, k)) == NULL)
				fatal("out of memory");
		}
	}
}

/* Without it the daemon does its main job all the same. */
static int
control_open(const char *run_dir, char path[static SOCKET_PATH])
{
	int fd = rundir_listen(run_dir, path);

	if (fd < 0)
		log_error("%s: no control socket, camtrapctl will not reach this daemon: %s", path, strerror(-fd));
	return fd;
}

static struct event *
event_made(struct event *ev, const struct timeval *in)
{
	if (ev == NULL || event_add(ev, in) < 0)
		fatal("out of memory");
	return ev;
}

int
supervise(struct conf *c, supervise_reload *reload, bool verbose)
{
	static const struct { int sig; void (*cb)(evutil_socket_t, short, void *); } signals[] = {
		{ SIGCHLD, sigchld_cb }, { SIGHUP, sighup_cb }, { SIGTERM, sigterm_cb }, { SIGINT, sigterm_cb },
	};
	struct event *ev[nitems(signals) + 1];
	int64_t every_ms = PING_MS;
	struct timeval every;

	signal(SIGPIPE, SIG_IGN);
	parent = (struct parent){ .base = event_base_new(), .conf = c, .reload = reload, .verbose = verbose };
	sd_init();
	if (parent.base == NULL)
		fatal("no event base");
	if ((parent.lock = rundir_lock(c->run_dir)) < 0) {
		log_error(parent.lock == -EWOULDBLOCK ? "%s: another camtrapd is running there" : "%s: %s", c->run_dir, strerror(-parent.lock));
		return 1;
	}
	for (size_t i = 0; i < nitems(signals); i++)
		ev[i] = event_made(evsignal_new(parent.base, signals[i].sig, signals[i].cb, NULL), NULL);
	if (sd_watchdog_ms() > 0 && sd_watchdog_ms() / 3 < every_ms)
		every_ms = sd_watchdog_ms() / 3;
	every = (struct timeval){ every_ms / 1000, every_ms % 1000 * 1000 };
	ev[nitems(signals)] = event_made(event_new(parent.base, -1, EV_PERSIST, ping_cb, NULL), &every);
	parent.control = control_open(c->run_dir, parent.control_path);
	kids_make();
	status_say();
	for (size_t i = 0; i < parent.n; i++)
		kid_start(&parent.kids[i]);
	event_base_dispatch(parent.base);
	for (size_t i = 0; i < nitems(ev); i++)
		event_free(ev[i]);
	for (size_t i = 0; i < parent.n; i++) {
		chan_free(parent.kids[i].chan);
		event_free(parent.kids[i].restart);
	}
	if (parent.control >= 0) {
		close(parent.control);
		unlink(parent.control_path);
	}
	close(parent.lock);
	free(parent.kids);
	conf_free(parent.conf);
	event_base_free(parent.base);
	log_info("stopped");
	return parent.status;
}
