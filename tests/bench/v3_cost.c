/* tests/bench/v3_cost.c: what the poller's SNMP code costs per request, v3 authPriv (SHA-256, AES-128) beside v2c for the same
 * tables, by the number of switches in one process:
 *   v3_cost [-r ROWS] [-e N] [-p TIMES] SWITCHES…
 * -e: so many neighbours have the same engine ID. The agents are a process of their own and not counted. Exit 1 if v3 takes more
 * than -p (default 3) times what v2c takes, or anything went wrong on the way. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "poller/snmp.h"
#include "v3_agent.h"

enum { SWITCHES_MAX = 60000, AT_ONCE = 64, ROUNDS = 3, FIRST_ADDRESS = 0x7f010001 };

struct one { struct snmp_peer *peer; uint32_t rows; bool walked; };

static struct {
	struct event_base	*base;
	struct snmp		*snmp;
	struct one		*ones;
	size_t			 n, next, open, failed;
	bool			 walk;		/* after the GET */
} run;
static char name[] = "bench", user[] = "monitor", secret[] = "a secret of the bench";

static double
cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static void start_next(void);

static void
each(void *arg, const struct varbind *v)
{
	struct one *o = arg;

	o->rows += v->type == VB_INTEGER;
}

static void
done(void *arg, enum snmp_result r)
{
	static const uint32_t port[] = { 1, 3, 6, 1, 2, 1, 17, 7, 1, 2, 2, 1, 2 }, status[] = { 1, 3, 6, 1, 2, 1, 17, 7, 1, 2, 2, 1, 3 };
	const struct snmp_walk w = { .columns = { port, status }, .column_lens = { nitems(port), nitems(status) }, .n = 2, .row_octets = 40,
		.max_rows = 100000 };
	struct one *o = arg;

	if (r != SNMP_DONE)
		run.failed++;
	else if (run.walk && !o->walked) {
		o->walked = true;
		if (snmp_walk(o->peer, &w, each, done, o))
			return;
		run.failed++;
	}
	run.open--;
	start_next();
	if (run.open == 0)
		event_base_loopbreak(run.base);
}

static void
start_next(void)
{
	static const uint32_t descr[] = { 1, 3, 6, 1, 2, 1, 1, 1, 0 }, id[] = { 1, 3, 6, 1, 2, 1, 1, 2, 0 }, up[] = { 1, 3, 6, 1, 2, 1, 1, 3, 0 };
	const uint32_t *const oids[] = { descr, id, up };
	const size_t lens[] = { nitems(descr), nitems(id), nitems(up) };

	for (; run.open < AT_ONCE && run.next < run.n; run.next++, run.open++) {
		run.ones[run.next].walked = false;
		run.ones[run.next].rows = 0;
		if (!snmp_get(run.ones[run.next].peer, oids, lens, 3, each, done, &run.ones[run.next]))
			fatal("out of memory");
	}
}

static void
once(bool walk)
{
	run.walk = walk;
	run.next = 0;
	start_next();
	event_base_dispatch(run.base);
}

struct cost { double us; uint64_t requests, resent; };	/* us: per request */

/* Of as many questions as there are switches, and at least of so many; CPU time. */
static double
round_us(size_t n, uint64_t *requests)
{
	uint64_t before = snmp_counters(run.snmp)->requests;
	double us = cpu_us();

	for (size_t asked = 0; asked < 2000; asked += n)
		once(true);
	us = cpu_us() - us;
	*requests = snmp_counters(run.snmp)->requests - before;
	return us / (double)*requests;
}

/* The first round finds engines and makes users; it does not count. Of the others the cheapest: what the machine does besides
 * only adds. */
static struct cost
measure(const struct conf_credential *cred, size_t n, uint16_t port, uint32_t rows)
{
	struct snmp_counters before;
	struct cost c = { .us = 1e12 };
	const char *why;
	uint64_t requests;

	run.n = n;
	if ((run.snmp = snmp_new(run.base)) == NULL || (run.ones = calloc(n, sizeof *run.ones)) == NULL)
		fatal("no socket or no memory");
	for (size_t i = 0; i < n; i++) {
		struct in_addr a = { htonl((uint32_t)(FIRST_ADDRESS + i)) };
		struct ip_port to = { ip_of(&a, 4), port };

		if ((run.ones[i].peer = snmp_peer_new(run.snmp, &to, NULL, 0, cred, &why)) == NULL)
			fatal("%s", why != NULL ? why : "out of memory");
	}
	once(false);
	before = *snmp_counters(run.snmp);
	for (int i = 0; i < ROUNDS; i++) {
		double us = round_us(n, &requests);

		c.us = us < c.us ? us : c.us;
	}
	c.requests = snmp_counters(run.snmp)->requests - before.requests;
	c.resent = c.requests - (snmp_counters(run.snmp)->replies - before.replies);
	for (size_t i = 0; i < n; i++) {
		run.failed += run.ones[i].rows != 2 * rows + 3;
		snmp_peer_free(run.ones[i].peer);
	}
	free(run.ones);
	snmp_free(run.snmp);
	return c;
}

static uint16_t
agents_start(struct v3_agent *a, pid_t *pid)
{
	struct sockaddr_in any = { .sin_family = AF_INET };
	socklen_t len = sizeof any;
	int size = 8 << 20;

	a->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(a->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	if (a->fd < 0 || bind(a->fd, (struct sockaddr *)&any, sizeof any) < 0 || getsockname(a->fd, (struct sockaddr *)&any, &len) < 0)
		fatal("no socket");
	if ((*pid = fork()) < 0)
		fatal("fork");
	if (*pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		v3_agent_run(a);
	}
	close(a->fd);
	return ntohs(any.sin_port);
}

int
main(int argc, char **argv)
{
	const struct conf_credential v2 = { .name = name, .version = SNMP_V2C, .community = name };
	const struct conf_credential v3 = { .name = name, .version = SNMP_V3, .user = user, .auth = AUTH_SHA256, .auth_secret = secret,
		.priv = PRIV_AES128, .priv_secret = secret };
	struct v3_agent agents = { .user = user, .secret = secret, .rows = 200 };
	uint64_t times = 3, v;
	bool too_much = false;
	uint16_t port;
	pid_t pid;
	int c;

	log_init("v3_cost", LOG_LEVEL_INFO);
	while ((c = getopt(argc, argv, "r:e:p:")) != -1) {
		if (c == '?' || num_parse(optarg, 0, 100000, &v) < 0)
			return 2;
		switch (c) {
		case 'r': agents.rows = (uint32_t)v; break;
		case 'e': agents.same_engine = (unsigned)v; break;
		case 'p': times = v; break;
		}
	}
	port = agents_start(&agents, &pid);
	if ((run.base = event_base_new()) == NULL)
		fatal("no event loop");
	printf("switches  v2c us/request  v3 us/request  times  sent without answer (v2c, v3)\n");
	for (; optind < argc; optind++) {
		struct cost two, three;

		if (num_parse(argv[optind], 1, SWITCHES_MAX, &v) < 0)
			return 2;
		two = measure(&v2, (size_t)v, port, agents.rows);
		three = measure(&v3, (size_t)v, port, agents.rows);
		printf("%8" PRIu64 "  %14.1f  %13.1f  %5.2f  %" PRIu64 ", %" PRIu64 "\n", v, two.us, three.us, three.us / two.us, two.resent, three.resent);
		fflush(stdout);
		too_much = too_much || three.us > (double)times * two.us;
	}
	kill(pid, SIGTERM);
	waitpid(pid, NULL, 0);
	event_base_free(run.base);
	if (run.failed > 0)
		printf("%zu questions went wrong\n", run.failed);
	return too_much || run.failed > 0;
}
