/* tests/sim/campus.c: the emulator's command line, sockets and loop. Every switch has a UDP socket of its own, on its own
 * loopback address: never a wildcard one, for nothing but this machine may reach it. */
#include "campus.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/ip.h"
#include "base/log.h"
#include "base/num.h"

#define CLIENTS_MAX	16
#define LINE_MAX_OCTETS	512
#define BURST		64		/* datagrams of one switch before the others have their turn */

struct client {
	int	fd;			/* -1: free */
	size_t	n;
	char	line[LINE_MAX_OCTETS];
};

struct loop {
	struct campus	*c;
	int		 epoll, listener, signals;
	struct client	 clients[CLIENTS_MAX];
};

/* What an epoll event is about: 0..SWITCHES_MAX a switch, then these. */
enum { ON_LISTENER = SWITCHES_MAX, ON_SIGNAL, ON_CLIENT };

static void
watch(struct loop *l, int fd, uint32_t what)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = what };

	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
		fatal("epoll: %s", strerror(errno));
}

static void
address_text(uint32_t address, char out[static INET_ADDRSTRLEN])
{
	struct in_addr a = { .s_addr = htonl(address) };

	inet_ntop(AF_INET, &a, out, INET_ADDRSTRLEN);
}

static void
switches_open(struct loop *l)
{
	struct campus *c = l->c;
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
	for (unsigned i = 0; i < c->nswitches; i++) {
		struct sw *s = &c->sw[i];
		struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)c->port), .sin_addr.s_addr = htonl(s->address) };
		char text[INET_ADDRSTRLEN];

		/* No SO_REUSEADDR: on UDP it would let a second campus take over the addresses unseen. */
		address_text(s->address, text);
		if ((s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) < 0 ||
		    bind(s->fd, (struct sockaddr *)&a, sizeof a) < 0)
			fatal("%s at %s:%u: %s", s->name, text, c->port, strerror(errno));
		watch(l, s->fd, i);
	}
}

static void
control_open(struct loop *l, const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct stat st;

	if (strlen(path) >= sizeof a.sun_path)
		fatal("%s: longer than a socket's name may be", path);
	memcpy(a.sun_path, path, strlen(path) + 1);
	/* What an earlier campus left; never another kind of file. */
	if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode))
		unlink(path);
	umask(077);
	if ((l->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) < 0 ||
	    bind(l->listener, (struct sockaddr *)&a, sizeof a) < 0 || listen(l->listener, CLIENTS_MAX) < 0)
		fatal("%s: %s", path, strerror(errno));
	watch(l, l->listener, ON_LISTENER);
}

static void
switch_ready(struct loop *l, unsigned i)
{
	uint8_t in[65536], out[REPLY_MAX];

	for (int k = 0; k < BURST; k++) {
		struct sockaddr_in from;
		socklen_t len = sizeof from;
		ssize_t n = recvfrom(l->c->sw[i].fd, in, sizeof in, 0, (struct sockaddr *)&from, &len);
		size_t m;

		if (n < 0)
			return;
		/* A reply that cannot be sent is lost like any datagram; the asker asks again. */
		if ((m = answer(l->c, (int)i, in, (size_t)n, out)) > 0)
			(void)!sendto(l->c->sw[i].fd, out, m, 0, (struct sockaddr *)&from, len);
	}
}

static void
client_accept(struct loop *l)
{
	int fd = accept4(l->listener, NULL, NULL, SOCK_CLOEXEC);
	struct timeval patience = { .tv_sec = 5 };

	if (fd < 0)
		return;
	for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
		if (l->clients[i].fd >= 0)
			continue;
		l->clients[i] = (struct client){ .fd = fd };
		/* Replies are written blocking, so a client that does not read is dropped after a while. */
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
		watch(l, fd, ON_CLIENT + i);
		return;
	}
	close(fd);
}

static void
client_close(struct client *cl)
{
	close(cl->fd);
	cl->fd = -1;
}

static bool
send_all(int fd, const struct buf *b)
{
	for (size_t done = 0; done < b->len;) {
		ssize_t n = send(fd, b->p + done, b->len - done, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return !b->bad;
}

/* False: quit was asked for. */
static bool
client_ready(struct loop *l, struct client *cl)
{
	ssize_t n = recv(cl->fd, cl->line + cl->n, sizeof cl->line - cl->n, MSG_DONTWAIT);
	struct buf out = { 0 };
	bool go_on = true;
	char *end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0) {
		client_close(cl);
		return true;
	}
	cl->n += (size_t)n;
	while (go_on && (end = memchr(cl->line, '\n', cl->n)) != NULL) {
		size_t used = (size_t)(end - cl->line) + 1;

		*end = '\0';
		go_on = control_line(l->c, cl->line, &out);
		cl->n -= used;
		memmove(cl->line, cl->line + used, cl->n);
	}
	if (!send_all(cl->fd, &out) || cl->n == sizeof cl->line)
		client_close(cl);		/* gone, or a line without end */
	buf_free(&out);
	return go_on;
}

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
serve(struct loop *l, int64_t until_ms)
{
	for (int64_t left; (left = until_ms - now_ms()) > 0;) {
		struct epoll_event ev[256];
		int n = epoll_wait(l->epoll, ev, nitems(ev), left > 60000 ? 60000 : (int)left);

		if (n < 0 && errno != EINTR)
			fatal("epoll: %s", strerror(errno));
		for (int i = 0; i < n; i++) {
			uint32_t what = ev[i].data.u32;

			if (what == ON_SIGNAL)
				return;
			if (what == ON_LISTENER)
				client_accept(l);
			else if (what < ON_LISTENER)
				switch_ready(l, what);
			else if (l->clients[what - ON_CLIENT].fd >= 0 && !client_ready(l, &l->clients[what - ON_CLIENT]))
				return;
		}
	}
}

/* For camtrapd: sites, credentials, switches, and nothing else, so that a test can add the rest. */
static void
config_write(const struct campus *c, const char *path)
{
	/* It holds a community: camtrapd takes that only from a file that others cannot read. */
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FILE *f = fd < 0 || fchmod(fd, 0600) < 0 ? NULL : fdopen(fd, "w");

	if (f == NULL)
		fatal("%s: %s", path, strerror(errno));
	fprintf(f, "sites = ( { name = \"hq\"; sensitivity = \"sensitive\"; }, { name = \"depot\"; sensitivity = \"standard\"; } );\n");
	fprintf(f, "credentials = ( { name = \"campus\"; version = \"2c\"; community = \"%s\"; } );\nswitches = (\n", c->community);
	for (unsigned i = 0; i < c->nswitches; i++) {
		char address[INET_ADDRSTRLEN];

		address_text(c->sw[i].address, address);
		fprintf(f, "  { name = \"%s\"; address = \"%s:%u\"; site = \"%s\"; credential = \"campus\"; }%s\n", c->sw[i].name, address,
		    c->port, c->sw[i].site, i + 1 < c->nswitches ? "," : " );");
	}
	if (ferror(f) || fclose(f) != 0)
		fatal("%s: %s", path, strerror(errno));
}

struct options {
	uint64_t	switches, port, hosts, cameras, seed, ageing, seconds;
	const char	*control, *config, *first, *community;
	int		flood;
};

static const char usage[] =
	"usage: campus [--switches N] [--port P] [--first ADDRESS] [--hosts H] [--cameras C] [--seed S] [--ageing SECONDS]\n"
	"              [--control PATH] [--community NAME] [--config FILE] [--flood | --no-flood] [--seconds S]\n"
	"An emulated campus of switches on loopback that answers SNMP v1 and v2c; see tests/sim/campus.h.\n";

static void
options_read(int argc, char **argv, struct options *o)
{
	const struct number { const char *name; uint64_t *to, min, max; } numbers[] = {
		{ "switches", &o->switches, 1, SWITCHES_MAX }, { "port", &o->port, 1, 65535 }, { "hosts", &o->hosts, 0, ACCESS_PORTS },
		{ "cameras", &o->cameras, 0, 65000 }, { "seed", &o->seed, 0, UINT32_MAX }, { "ageing", &o->ageing, 1, 1000000 },
		{ "seconds", &o->seconds, 1, 604800 },
	};
	const struct word { const char *name; const char **to; } words[] = {
		{ "control", &o->control }, { "config", &o->config }, { "first", &o->first }, { "community", &o->community },
	};
	struct option table[nitems(numbers) + nitems(words) + 4] = { { 0 } };
	size_t n = 0;
	int which, at;

	for (size_t i = 0; i < nitems(numbers); i++)
		table[n++] = (struct option){ numbers[i].name, required_argument, NULL, 0 };
	for (size_t i = 0; i < nitems(words); i++)
		table[n++] = (struct option){ words[i].name, required_argument, NULL, 0 };
	table[n++] = (struct option){ "flood", no_argument, &o->flood, 1 };
	table[n++] = (struct option){ "no-flood", no_argument, &o->flood, 0 };
	table[n] = (struct option){ "help", no_argument, NULL, 'h' };
	while ((which = getopt_long(argc, argv, "", table, &at)) != -1) {
		size_t i = (size_t)at;

		if (which == 'h') {
			fputs(usage, stdout);
			exit(0);
		}
		if (which != 0) {
			fputs(usage, stderr);
			exit(2);
		}
		if (i < nitems(numbers)) {
			if (num_parse(optarg, numbers[i].min, numbers[i].max, numbers[i].to) == 0)
				continue;
			fprintf(stderr, "campus: --%s: %s is not within %" PRIu64 "..%" PRIu64 "\n", numbers[i].name, optarg, numbers[i].min,
			    numbers[i].max);
			exit(2);
		} else if (i < nitems(numbers) + nitems(words)) {
			*words[i - nitems(numbers)].to = optarg;
		}
	}
	if (optind < argc) {
		fputs(usage, stderr);
		exit(2);
	}
}

static uint32_t
first_address(const char *text)
{
	struct ip ip;

	if (ip_parse(text, &ip) < 0 || ip.family != 4 || ip.b[0] != 127 || ip.b[3] == 0 || ip.b[3] == 255)
		fatal("--first: %s is not an address in 127.0.0.0/8 that a switch may have", text);
	return (uint32_t)ip.b[0] << 24 | (uint32_t)ip.b[1] << 16 | (uint32_t)ip.b[2] << 8 | ip.b[3];
}

int
main(int argc, char **argv)
{
	struct options o = { .switches = 50, .port = 16161, .hosts = 20, .cameras = 5, .seed = 1, .ageing = 300, .seconds = 3600,
		.first = "127.10.0.1", .community = "public", .flood = 1 };
	struct campus c = { 0 };
	struct loop l = { .c = &c, .listener = -1 };
	const char *e;
	sigset_t ends;

	log_init("campus", LOG_LEVEL_INFO);
	options_read(argc, argv, &o);
	if (strlen(o.community) < 1 || strlen(o.community) > 64 || strpbrk(o.community, "\"\\\n") != NULL)
		fatal("--community: 1 to 64 octets without quotes and backslashes");
	c.nswitches = (unsigned)o.switches, c.hosts = (unsigned)o.hosts, c.cameras = (unsigned)o.cameras;
	c.ageing_s = (unsigned)o.ageing, c.port = (unsigned)o.port, c.seed = o.seed, c.flood = o.flood != 0;
	c.community = o.community;
	c.first = first_address(o.first);
	view_init();
	if ((e = campus_build(&c)) != NULL)
		fatal("%s", e);
	for (size_t i = 0; i < CLIENTS_MAX; i++)
		l.clients[i].fd = -1;
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	if ((l.epoll = epoll_create1(EPOLL_CLOEXEC)) < 0 || (l.signals = signalfd(-1, &ends, SFD_NONBLOCK | SFD_CLOEXEC)) < 0)
		fatal("epoll: %s", strerror(errno));
	watch(&l, l.signals, ON_SIGNAL);
	switches_open(&l);
	if (o.control != NULL)
		control_open(&l, o.control);
	if (o.config != NULL)
		config_write(&c, o.config);
	printf("ready %u switches\n", c.nswitches);
	fflush(stdout);
	serve(&l, now_ms() + (int64_t)o.seconds * 1000);
	if (o.control != NULL)
		unlink(o.control);
	campus_free(&c);
	return 0;
}
