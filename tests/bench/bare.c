/* tests/bench/bare.c: the bare loop that camtrapd is measured against: fetches the tables of poll_steps[] from many switches over
 * one socket with the same library, v2c, and throws them away. Of the product it takes that list and nothing else.
 *
 * bare --first ADDRESS --port P --switches N [--community C] [--flight N] [--sweeps N]
 * Prints one line of JSON a sweep: CPU of this process, wall time, datagrams sent, objects received. */
#include <net-snmp/net-snmp-config.h>
#include <net-snmp/net-snmp-includes.h>
#include <net-snmp/library/large_fd_set.h>
#include <net-snmp/library/snmpUDPDomain.h>

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "../sim/number.h"
#include "poller/tables.h"

enum { COLUMNS = 8, BATCH = 64, OCTETS = 4096, VARBINDS_FIRST = 20, VARBINDS_MOST = 40, GOOD = 8, STEPS_MAX = 64 };

struct column { oid prefix[MAX_OID_LEN], at[MAX_OID_LEN]; size_t n_prefix, n_at; bool ended; };

/* One switch. */
struct target {
	void		*session;
	struct sockaddr_in address;
	size_t		 step, n, asked[COLUMNS];
	struct column	 col[COLUMNS];
	unsigned	 varbinds, good;
	uint32_t	 rows[STEPS_MAX];
	bool		 done, ready;
};

static struct {
	struct in_addr	first;
	int		port, switches, flight, sweeps;
	const char	*community;
} opt = { .port = 16161, .switches = 50, .flight = 500, .sweeps = 2, .community = "public" };

static struct { oid v[MAX_OID_LEN]; size_t n; } columns[STEPS_MAX][COLUMNS];
static size_t n_columns[STEPS_MAX];
static struct target *targets;
static int fd, running, next_target, finished;
static uint64_t pdus, varbinds;
static netsnmp_large_fd_set fds;
static struct { const uint8_t *p; int n; } current;

static struct {
	struct mmsghdr		m[BATCH];
	struct iovec		vec[BATCH];
	struct sockaddr_in	to[BATCH];
	uint8_t			octets[BATCH][OCTETS];
	int			n;
} out;

static struct target **ready;
static int n_ready;

/* ---- transport: all switches on one socket */

static void
flush(void)
{
	for (int sent = 0; sent < out.n;) {
		int k = sendmmsg(fd, out.m + sent, (unsigned)(out.n - sent), 0);

		if (k < 0 && errno != EAGAIN && errno != EINTR && errno != ENOBUFS) {
			perror("bare: sendmmsg");
			exit(1);
		}
		sent += k > 0 ? k : 0;
	}
	out.n = 0;
}

static int
transport_send(netsnmp_transport *t, const void *p, int n, void **o, int *on)
{
	(void)o, (void)on;
	if (n > OCTETS)
		return -1;
	memcpy(out.octets[out.n], p, (size_t)n);
	memcpy(&out.to[out.n], t->remote, sizeof out.to[0]);
	out.vec[out.n] = (struct iovec){ out.octets[out.n], (size_t)n };
	out.m[out.n].msg_hdr = (struct msghdr){ .msg_name = &out.to[out.n], .msg_namelen = sizeof out.to[0], .msg_iov = &out.vec[out.n],
		.msg_iovlen = 1 };
	pdus++;
	if (++out.n == BATCH)
		flush();
	return n;
}

static int
transport_recv(netsnmp_transport *t, void *p, int n, void **o, int *on)
{
	(void)t;
	if (current.n > n)
		return -1;
	memcpy(p, current.p, (size_t)current.n);
	*o = NULL;
	*on = 0;
	return current.n;
}

static int
transport_close(netsnmp_transport *t)
{
	t->sock = -1;
	return 0;
}

static void
target_open(struct target *t, int i)
{
	netsnmp_transport *tr = calloc(1, sizeof *tr);
	netsnmp_session s;

	t->address = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)opt.port),
		.sin_addr.s_addr = htonl(ntohl(opt.first.s_addr) + (uint32_t)i + (uint32_t)i / 200 * 56) };
	tr->domain = netsnmpUDPDomain;
	tr->domain_length = netsnmpUDPDomain_len;
	tr->sock = fd;
	tr->flags = NETSNMP_TRANSPORT_FLAG_OPENED;
	tr->msgMaxSize = 65507;
	tr->f_recv = transport_recv;
	tr->f_send = transport_send;
	tr->f_close = transport_close;
	tr->remote = netsnmp_memdup(&t->address, sizeof t->address);
	tr->remote_length = sizeof t->address;
	snmp_sess_init(&s);
	s.version = SNMP_VERSION_2c;
	s.community = (u_char *)(uintptr_t)opt.community;
	s.community_len = strlen(opt.community);
	s.timeout = 8000000;
	s.retries = 0;
	if ((t->session = snmp_sess_add_ex(&s, tr, NULL, NULL, NULL, NULL, NULL, NULL, NULL)) == NULL) {
		fprintf(stderr, "bare: no session\n");
		exit(1);
	}
	t->varbinds = VARBINDS_FIRST;
}

/* ---- walking */

static void	target_ask(struct target *t);

static bool
prefixed(const oid *name, size_t n, const struct column *c)
{
	return n > c->n_prefix && memcmp(name, c->prefix, c->n_prefix * sizeof *name) == 0;
}

static void
take(struct target *t, const netsnmp_pdu *p)
{
	size_t i = 0;

	for (const netsnmp_variable_list *v = p->variables; v != NULL; v = v->next_variable, i++) {
		struct column *c = &t->col[t->asked[i % t->n]];

		varbinds++;
		if (c->ended)
			continue;
		if (v->type == SNMP_ENDOFMIBVIEW || !prefixed(v->name, v->name_length, c)) {
			c->ended = true;
			continue;
		}
		memcpy(c->at, v->name, v->name_length * sizeof *v->name);
		c->n_at = v->name_length;
		t->rows[t->step]++;
	}
	if (++t->good >= GOOD && t->varbinds < VARBINDS_MOST) {
		t->varbinds += 5;
		t->good = 0;
	}
}

static bool
has_rows(const struct target *t, const char *step)
{
	for (size_t i = 0; i < poll_n_steps; i++)
		if (strcmp(poll_steps[i].name, step) == 0)
			return t->rows[i] > 0;
	return false;
}

/* What poll_steps[].wanted says of a switch of the emulated campus. */
static bool
wanted(const struct target *t, size_t step)
{
	const char *name = poll_steps[step].name;

	if (poll_steps[step].wanted == NULL)
		return true;
	if (strncmp(name, "lldpV2", 6) == 0)
		return !has_rows(t, "lldpRem");
	return strcmp(name, "vtpVlan") == 0 && !has_rows(t, "dot1qTpFdb");
}

static void
step_begin(struct target *t)
{
	while (t->step < poll_n_steps && !wanted(t, t->step))
		t->step++;
	if (t->step == poll_n_steps) {
		t->done = true;
		running--;
		finished++;
		return;
	}
	for (size_t i = 0; i < n_columns[t->step]; i++) {
		struct column *c = &t->col[i];

		c->n_prefix = c->n_at = columns[t->step][i].n;
		memcpy(c->prefix, columns[t->step][i].v, c->n_prefix * sizeof *c->prefix);
		memcpy(c->at, c->prefix, c->n_prefix * sizeof *c->prefix);
		c->ended = false;
	}
	target_ask(t);
}

static int
answer_cb(int op, netsnmp_session *s, int id, netsnmp_pdu *p, void *arg)
{
	struct target *t = arg;

	(void)s, (void)id;
	if (op != NETSNMP_CALLBACK_OP_RECEIVED_MESSAGE || p->errstat != 0) {
		fprintf(stderr, "bare: a question was not answered\n");
		exit(1);
	}
	if (poll_steps[t->step].how == POLL_GET) {
		for (const netsnmp_variable_list *v = p->variables; v != NULL; v = v->next_variable)
			varbinds++;
		t->step++;
	} else {
		bool more = false;

		take(t, p);
		for (size_t i = 0; i < n_columns[t->step]; i++)
			more |= !t->col[i].ended;
		if (!more)
			t->step++;
		else
			t->n = COLUMNS + 1;	/* goes on */
	}
	ready[n_ready++] = t;
	return 1;
}

static void
target_ask(struct target *t)
{
	bool get = poll_steps[t->step].how == POLL_GET;
	size_t octets = poll_steps[t->step].row_octets, fit = (1400 - 120) / (octets > 0 ? octets : 40), most = t->varbinds < fit ? t->varbinds : fit;
	netsnmp_pdu *p = snmp_pdu_create(get ? SNMP_MSG_GET : SNMP_MSG_GETBULK);

	t->n = 0;
	for (size_t i = 0; i < n_columns[t->step]; i++)
		if (!t->col[i].ended) {
			t->asked[t->n++] = i;
			snmp_add_null_var(p, t->col[i].at, t->col[i].n_at);
		}
	if (!get) {
		p->non_repeaters = 0;
		p->max_repetitions = most > t->n ? (long)(most / t->n) : 1;
	}
	if (snmp_sess_async_send(t->session, p, answer_cb, t) == 0) {
		fprintf(stderr, "bare: cannot send\n");
		exit(1);
	}
}

/* What answers have called for: nothing is sent from inside the library. */
static void
ready_run(void)
{
	for (int i = 0; i < n_ready; i++) {
		struct target *t = ready[i];

		if (t->n == COLUMNS + 1)
			target_ask(t);
		else
			step_begin(t);
	}
	n_ready = 0;
	while (running < opt.flight && next_target < opt.switches) {
		struct target *t = &targets[next_target++];

		t->step = 0;
		t->done = false;
		memset(t->rows, 0, sizeof t->rows);
		running++;
		step_begin(t);
	}
	flush();
}

static struct target *
target_at(const struct sockaddr_in *a)
{
	uint32_t d = ntohl(a->sin_addr.s_addr) - ntohl(opt.first.s_addr), i = d / 256 * 200 + d % 256;

	return d % 256 < 200 && i < (uint32_t)opt.switches && a->sin_port == htons((uint16_t)opt.port) ? &targets[i] : NULL;
}

static void
receive(void)
{
	static struct mmsghdr m[BATCH];
	static struct iovec vec[BATCH];
	static struct sockaddr_in from[BATCH];
	static uint8_t octets[BATCH][OCTETS];
	int n;

	for (int i = 0; i < BATCH; i++) {
		vec[i] = (struct iovec){ octets[i], OCTETS };
		m[i].msg_hdr = (struct msghdr){ .msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &vec[i], .msg_iovlen = 1 };
	}
	n = recvmmsg(fd, m, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++) {
		struct target *t = target_at(&from[i]);

		if (t == NULL)
			continue;
		current.p = octets[i];
		current.n = (int)m[i].msg_len;
		netsnmp_large_fd_setfd(fd, &fds);
		snmp_sess_read2(t->session, &fds);
	}
}

static double
cpu_ms(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e3 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e3;
}

static double
wall_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void
sweep(int number)
{
	struct pollfd p = { fd, POLLIN, 0 };
	double cpu = cpu_ms(), wall = wall_ms();

	pdus = varbinds = 0;
	next_target = finished = running = 0;
	ready_run();
	while (finished < opt.switches) {
		if (poll(&p, 1, 10000) <= 0) {
			fprintf(stderr, "bare: no answer in 10 s: %d of %d finished\n", finished, opt.switches);
			exit(1);
		}
		receive();
		ready_run();
	}
	printf("{\"sweep\":%d,\"cpuMs\":%.1f,\"wallMs\":%.1f,\"pdus\":%" PRIu64 ",\"varbinds\":%" PRIu64 "}\n", number, cpu_ms() - cpu,
	    wall_ms() - wall, pdus, varbinds);
	fflush(stdout);
}

static void
options_read(int argc, char **argv)
{
	static const struct option options[] = { { "first", 1, NULL, 'f' }, { "port", 1, NULL, 'p' }, { "switches", 1, NULL, 'n' },
		{ "community", 1, NULL, 'c' }, { "flight", 1, NULL, 'i' }, { "sweeps", 1, NULL, 's' }, { NULL, 0, NULL, 0 } };
	bool ok = true;
	int c;

	inet_pton(AF_INET, "127.10.0.1", &opt.first);
	while (ok && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'f': ok = inet_pton(AF_INET, optarg, &opt.first) == 1; break;
		case 'p': ok = number_read(optarg, 1, 65535, &opt.port); break;
		case 'n': ok = number_read(optarg, 1, 10000, &opt.switches); break;
		case 'c': opt.community = optarg; break;
		case 'i': ok = number_read(optarg, 1, 10000, &opt.flight); break;
		case 's': ok = number_read(optarg, 1, 1000, &opt.sweeps); break;
		default: ok = false;
		}
	}
	if (!ok) {
		fprintf(stderr, "usage: bare [--first ADDRESS] [--port P] [--switches N] [--community C] [--flight N] [--sweeps N]\n");
		exit(2);
	}
}

static void
columns_read(void)
{
	for (size_t s = 0; s < poll_n_steps && s < STEPS_MAX; s++)
		for (; n_columns[s] < COLUMNS && poll_steps[s].columns[n_columns[s]] != NULL; n_columns[s]++) {
			columns[s][n_columns[s]].n = MAX_OID_LEN;
			read_objid(poll_steps[s].columns[n_columns[s]], columns[s][n_columns[s]].v, &columns[s][n_columns[s]].n);
		}
}

int
main(int argc, char **argv)
{
	int size = 16 << 20;

	options_read(argc, argv);
	setenv("MIBS", "", 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DONT_READ_CONFIGS, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DISABLE_PERSISTENT_LOAD, 1);
	netsnmp_ds_set_boolean(NETSNMP_DS_LIBRARY_ID, NETSNMP_DS_LIB_DISABLE_PERSISTENT_SAVE, 1);
	init_snmp("bare");
	netsnmp_large_fd_set_init(&fds, FD_SETSIZE);
	columns_read();
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	if ((targets = calloc((size_t)opt.switches, sizeof *targets)) == NULL || (ready = calloc((size_t)opt.switches, sizeof *ready)) == NULL)
		return 1;
	for (int i = 0; i < opt.switches; i++)
		target_open(&targets[i], i);
	for (int i = 0; i < opt.sweeps; i++)
		sweep(i + 1);
	return 0;
}
