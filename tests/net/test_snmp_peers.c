/* tests/net/test_snmp_peers.c: asks one agent through snmp.h: `test_snmp_peers ADDRESS PORT KIND [COLUMN]`.
 * KIND: v1:COMMUNITY, v2c:COMMUNITY, sha256:USER:SECRET (AES-128), sha512:USER:SECRET (AES-256). Prints what came and how it ended;
 * exit 0 answered, 10 + enum snmp_result otherwise, 1 usage, 2 no peer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "poller/snmp.h"

static struct event_base *base;
static struct snmp *snmp;
static struct snmp_peer *peer;
static unsigned got;
static bool inside;
static enum snmp_result last;

static void
each(void *arg, const struct varbind *v)
{
	(void)arg, (void)v;
	got++;
}

static void
done(void *arg, enum snmp_result r)
{
	const char *what = arg;

	if (inside)
		fatal("%s: told from inside the call that asked", what);
	last = r;
	event_base_loopbreak(base);
}

static void
wait_for(const char *what)
{
	struct mono t = mono_now();

	inside = false;
	event_base_dispatch(base);
	printf("%s: %s, %u varbinds, %lld ms\n", what, snmp_result_text(last), got, (long long)mono_since(t, mono_now()));
	got = 0;
}

int
main(int argc, char **argv)
{
	static const uint32_t uptime[] = { 1, 3, 6, 1, 2, 1, 1, 3, 0 }, absent[] = { 1, 3, 6, 1, 2, 1, 1, 99, 0 },
		mib2[] = { 1, 3, 6, 1, 2, 1 }, descr[] = { 1, 3, 6, 1, 2, 1, 2, 2, 1, 2 }, type[] = { 1, 3, 6, 1, 2, 1, 2, 2, 1, 3 };
	const uint32_t *oids[] = { uptime, absent };
	size_t lens[] = { nitems(uptime), nitems(absent) };
	char name[] = "test", *kind, *one, *two;
	struct conf_credential c = { .name = name };
	struct ip_port to;
	uint64_t port;
	const char *why;
	const struct snmp_counters *n;
	struct snmp_walk w = { .columns = { mib2 }, .column_lens = { nitems(mib2) }, .n = 1, .row_octets = 40, .max_rows = 100000, .max_ms = 60000 };

	log_init("test", LOG_LEVEL_INFO);
	if (argc != 4 || ip_parse(argv[1], &to.ip) < 0 || num_parse(argv[2], 1, 65535, &port) < 0)
		return 1;
	to.port = (uint16_t)port;
	kind = strtok(argv[3], ":");
	one = strtok(NULL, ":");
	two = strtok(NULL, ":");
	if (kind == NULL || one == NULL)
		return 1;
	c.version = strcmp(kind, "v1") == 0 ? SNMP_V1 : strcmp(kind, "v2c") == 0 ? SNMP_V2C : SNMP_V3;
	c.community = c.user = one;
	c.auth_secret = c.priv_secret = two;
	c.auth = strcmp(kind, "sha512") == 0 ? AUTH_SHA512 : AUTH_SHA256;
	c.priv = strcmp(kind, "sha512") == 0 ? PRIV_AES256 : PRIV_AES128;
	base = event_base_new();
	if (base == NULL || (snmp = snmp_new(base)) == NULL)
		fatal("no socket");
	if ((peer = snmp_peer_new(snmp, &to, NULL, 0, &c, &why)) == NULL) {
		printf("no peer: %s\n", why);
		return 2;
	}
	inside = true;
	snmp_get(peer, oids, lens, 2, each, done, (void *)(uintptr_t)"get");
	wait_for("get");
	if (last == SNMP_DONE) {
		inside = true;
		snmp_walk(peer, &w, each, done, (void *)(uintptr_t)"walk");
		wait_for("walk mib-2");
		w.columns[0] = descr;
		w.columns[1] = type;
		w.column_lens[0] = w.column_lens[1] = nitems(descr);
		w.n = 2;
		inside = true;
		snmp_walk(peer, &w, each, done, (void *)(uintptr_t)"walk");
		wait_for("walk ifDescr, ifType");
		w.max_rows = 3;
		inside = true;
		snmp_walk(peer, &w, each, done, (void *)(uintptr_t)"walk");
		if (last == SNMP_DONE) {
			wait_for("walk of at most 3 rows");
			last = last == SNMP_TOO_MANY ? SNMP_DONE : last;
		}
	}
	/* With a question open, both before and after its datagram left. */
	snmp_get(peer, oids, lens, 1, each, done, (void *)(uintptr_t)"get");
	snmp_get(peer, oids, lens, 1, each, done, (void *)(uintptr_t)"get");
	snmp_peer_free(peer);
	n = snmp_counters(snmp);
	printf("requests %llu replies %llu timeouts %llu resent %llu strays %llu mismatched %llu malformed %llu\n",
	    (unsigned long long)n->requests, (unsigned long long)n->replies, (unsigned long long)n->timeouts,
	    (unsigned long long)n->resent, (unsigned long long)n->strays, (unsigned long long)n->mismatched, (unsigned long long)n->malformed);
	snmp_free(snmp);
	event_base_free(base);
	return last == SNMP_DONE ? 0 : 10 + (int)last;
}
