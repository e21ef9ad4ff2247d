/* tests/net/poll_peer.c: polls switches through poll.h as the poller does, all at once, and says as JSON lines what came of it:
 *   poll_peer [-i SECONDS] [-m MAX_ROWS] [-r REPLY_FROM]… [-n POLLS] [-w MS] [-p | -P] [-1 | -3] [-o] -c COMMUNITY… ADDRESS…
 * -n: so often, one after the other, -w apart; -p: pings; -P: the first one is a poll, the others are pings; -c: several are tried in
 * that order; -1: v1; -3: a community that is USER:SECRET is one of v3, SHA-256 and AES-128;
 * -o: polls as long as it takes to let each allocation of ours fail once, and tells only the sum. Exit 0 unless it cannot start. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/num.h"
#include "model/enums.h"
#include "poller/poll.h"

enum { SWITCHES_MAX = 1024, REPLY_FROM_MAX = 4, CREDENTIALS_MAX = 8 };

static struct one {
	struct conf_switch	 sw;
	struct poll		*poll;
	unsigned		 polls;
	bool			 inside;
	struct event		*again;
} ones[SWITCHES_MAX];
static struct event_base *base;
static struct snmp *snmp;
static size_t n_ones, open_polls;
static unsigned polls = 1, apart_ms;
static bool ping, ping_later;

/* ---- memory that runs out (linked with --wrap) */

static unsigned long allocations, fail_at;
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);

static bool
fails(void)
{
	return fail_at > 0 && ++allocations == fail_at;
}

void *__wrap_malloc(size_t n) { return fails() ? NULL : __real_malloc(n); }
void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *p, size_t n) { return fails() ? NULL : __real_realloc(p, n); }
char *__wrap_strdup(const char *s) { return fails() ? NULL : __real_strdup(s); }

/* ---- what came */

static void
note(void *arg, const char *kind, const char *text, uint32_t count)
{
	(void)arg;
	printf(", \"%s: %s\": %u", kind, text, count);
}

static void
tell(const struct one *o, const struct poll_result *r)
{
	char address[IP_TEXT], mac[MAC_TEXT];
	size_t at = 0, fdb = 0, ifaces = 0;
	struct row row;

	printf("{\"address\": \"%s\", \"state\": \"%s\", \"dropped\": %s, \"error\": \"%s\", \"requests\": %u, \"timeouts\": %u, "
	    "\"credential\": \"%s\", \"complete\": %u, \"ms\": %lld, \"uptime\": %u", ip_port_text(&o->sw.address, 0, address), switch_state_word(r->state),
	    r->dropped ? "true" : "false", r->error != NULL ? r->error : "", r->requests, r->timeouts,
	    r->credential != NULL ? r->credential : "", r->tables != NULL ? tables_complete(r->tables) : 0, (long long)(r->finished.us - r->started.us) / 1000,
	    r->tables != NULL ? tables_uptime_cs(r->tables) : 0);
	printf(", \"macs\": [");
	while (r->tables != NULL && tables_next(r->tables, &at, &row)) {
		ifaces += row.kind == ROW_IFACE;
		if (row.kind == ROW_FDB && fdb++ < 1000)
			printf("%s\"%s %u %u\"", fdb > 1 ? ", " : "", mac_text(row.fdb.mac, mac), row.fdb.if_index, row.fdb.vlan);
	}
	printf("], \"fdb\": %zu, \"interfaces\": %zu, \"notes\": {\"-\": 0", fdb, ifaces);
	if (r->tables != NULL)
		tables_diagnostics(r->tables, note, NULL);
	printf("}}\n");
}

static void
start(struct one *o)
{
	o->inside = true;
	open_polls++;
	if (ping || (ping_later && o->polls > 0))
		poll_ping(o->poll);
	else
		poll_start(o->poll);
	o->inside = false;
}

static void
again_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	start(arg);
}

static void
done(void *arg, const struct poll_result *r)
{
	struct one *o = arg;
	struct timeval tv = { apart_ms / 1000, apart_ms % 1000 * 1000 };

	tell(o, r);
	fflush(stdout);
	tables_free(r->tables);
	open_polls--;
	if (++o->polls < polls)
		event_add(o->again, &tv);
	else if (open_polls == 0 && !o->inside)
		event_base_loopbreak(base);
}

/* ---- each allocation once */

static struct { unsigned long dropped, incomplete, whole, wrong; size_t rows; } sum;

static void
done_without_memory(void *arg, const struct poll_result *r)
{
	struct one *o = arg;
	size_t n = r->tables != NULL ? tables_n_rows(r->tables) : 0;
	unsigned long wrong = sum.wrong;

	sum.dropped += r->dropped;
	sum.incomplete += r->state == SWITCH_INCOMPLETE;
	if (r->tables != NULL && tables_complete(r->tables) == ROW_ALL) {
		sum.whole++;
		sum.rows = n > sum.rows ? n : sum.rows;
		sum.wrong += n < sum.rows;		/* rows missing from what claims to be all */
	} else
		sum.wrong += r->tables == NULL && !r->dropped;		/* our trouble told as the switch's */
	if (sum.wrong > wrong)
		log_warnx("allocation %lu: told as %s, %zu rows: %s", fail_at, switch_state_word(r->state), n, r->error != NULL ? r->error : "");
	tables_free(r->tables);
	open_polls--;
	if (!o->inside)
		event_base_loopbreak(base);
}

static void
run_without_memory(const struct conf *conf)
{
	struct one *o = &ones[0];
	unsigned long k = 0;

	do {
		fail_at = 0;
		snmp_free(snmp);		/* and its keys */
		if ((snmp = snmp_new(base)) == NULL || (o->poll = poll_new(snmp, conf, &o->sw, done_without_memory, o)) == NULL)
			fatal("out of memory");
		allocations = 0;
		fail_at = k++;		/* the first one fails nowhere: all rows */
		start(o);
		if (open_polls > 0)
			event_base_dispatch(base);
		poll_free(o->poll);
	} while (k == 1 || allocations >= fail_at);
	printf("{\"allocations\": %lu, \"dropped\": %lu, \"incomplete\": %lu, \"whole\": %lu, \"wrong\": %lu}\n", k - 2, sum.dropped,
	    sum.incomplete, sum.whole, sum.wrong);
}

static void
run(const struct conf *conf)
{
	for (size_t i = 0; i < n_ones; i++) {
		ones[i].again = evtimer_new(base, again_cb, &ones[i]);
		if (ones[i].again == NULL || (ones[i].poll = poll_new(snmp, conf, &ones[i].sw, done, &ones[i])) == NULL)
			fatal("out of memory");
	}
	for (size_t i = 0; i < n_ones; i++)
		start(&ones[i]);
	if (open_polls > 0 || polls > 1)
		event_base_dispatch(base);
	for (size_t i = 0; i < n_ones; i++) {
		event_free(ones[i].again);
		poll_free(ones[i].poll);
	}
}

static void
credential_set(struct conf_credential *c, enum snmp_version version, char name[static 8], size_t i)
{
	snprintf(name, 8, "test%zu", i);
	c->name = name;
	c->version = version != SNMP_V3 || strchr(c->community, ':') != NULL ? version : SNMP_V2C;
	if (c->version != SNMP_V3)
		return;
	c->user = c->community;
	c->auth_secret = strchr(c->community, ':');
	*c->auth_secret++ = '\0';
	c->priv_secret = c->auth_secret;
	c->auth = AUTH_SHA256;
	c->priv = PRIV_AES128;
}

int
main(int argc, char **argv)
{
	static char name[CREDENTIALS_MAX][8];
	static struct ip reply_from[REPLY_FROM_MAX];
	static struct conf_credential creds[CREDENTIALS_MAX];
	char *names[CREDENTIALS_MAX];
	struct conf conf = { .credentials = creds };
	struct conf_switch sw = { .name = name[0], .credentials = { names, 0 }, .poll_interval_s = 30, .max_in_flight = 1, .max_rows = 262144,
		.reply_from = reply_from };
	enum snmp_version version = SNMP_V2C;
	const struct snmp_counters *n;
	bool without_memory = false;
	uint64_t v;
	int c;

	log_init("poll_peer", LOG_LEVEL_INFO);
	while ((c = getopt(argc, argv, "1i:m:r:n:w:pP3oc:")) != -1) {
		if (strchr("imnw", c) != NULL && num_parse(optarg, 0, 2000000, &v) < 0)
			return 1;
		switch (c) {
		case 'i': sw.poll_interval_s = (uint32_t)v; break;
		case 'm': sw.max_rows = (uint32_t)v; break;
		case 'n': polls = (unsigned)v; break;
		case 'w': apart_ms = (unsigned)v; break;
		case 'p': ping = true; break;
		case 'P': ping_later = true; break;
		case 'o': without_memory = true; break;
		case '1': version = SNMP_V1; break;
		case '3': version = SNMP_V3; break;
		case 'c':
			if (conf.n_credentials == CREDENTIALS_MAX)
				return 1;
			creds[conf.n_credentials++].community = optarg;
			break;
		case 'r':
			if (sw.n_reply_from == REPLY_FROM_MAX || ip_parse(optarg, &reply_from[sw.n_reply_from++]) < 0)
				return 1;
			break;
		default:
			return 1;
		}
	}
	for (size_t i = 0; i < conf.n_credentials; i++)
		credential_set(&creds[i], version, names[i] = name[i], i);
	if ((sw.credentials.n = conf.n_credentials) == 0)
		return 1;
	for (; optind < argc && n_ones < SWITCHES_MAX; optind++, n_ones++) {
		ones[n_ones].sw = sw;
		if (ip_port_parse(argv[optind], 161, &ones[n_ones].sw.address) < 0)
			return 1;
	}
	if ((base = event_base_new()) == NULL || (snmp = snmp_new(base)) == NULL)
		fatal("no socket");
	if (without_memory)
		run_without_memory(&conf);
	else
		run(&conf);
	n = snmp_counters(snmp);
	printf("{\"requests\": %" PRIu64 ", \"replies\": %" PRIu64 ", \"timeouts\": %" PRIu64 ", \"resent\": %" PRIu64 ", \"nudges\": %" PRIu64
	    ", \"unsent\": %" PRIu64 ", \"strays\": %" PRIu64 ", \"mismatched\": %" PRIu64 ", \"malformed\": %" PRIu64
	    ", \"replaced\": %" PRIu64 "}\n", n->requests, n->replies, n->timeouts, n->resent, n->nudges, n->unsent, n->strays,
	    n->mismatched, n->malformed, n->replaced);
	snmp_free(snmp);
	event_base_free(base);
	return 0;
}
