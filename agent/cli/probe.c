/* agent/cli/probe.c */
#include "cli/probe.h"

#include <event2/event.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "base/text.h"
#include "cli/probe_json.h"
#include "config/conf.h"
#include "poller/poll.h"

enum { EXIT_FINE, EXIT_USAGE = 2, EXIT_SILENT = 3, EXIT_PARTIAL = 5 };
#define SNMP_PORT 161
#define TIMEOUT_S 120
#define SECRET_MAX 255

struct probe {
	struct event_base	*base;
	struct poll		*poll;
	struct event		*tick;
	bool			 json, tty, done, timed_out;
	int64_t			 timeout_ms;
	struct mono		 started;
	const char		*address;
	int			 status;
};

static int
usage(const char *why)
{
	if (why != NULL)
		fprintf(stderr, "camtrapctl: probe: %s\n", why);
	fprintf(stderr, "usage: camtrapctl probe [--community C | --community-file FILE | --credential NAME] [--timeout S] [--json] "
	    "ADDRESS[:PORT]\n       CAMTRAPD_COMMUNITY in the environment is used where no credential is given\n");
	return EXIT_USAGE;
}

/* The first line of a file, without its end. false: told. */
static bool
first_line(const char *path, char out[static SECRET_MAX + 1])
{
	FILE *f = fopen(path, "re");
	bool ok;

	if (f == NULL) {
		fprintf(stderr, "camtrapctl: %s: %m\n", path);
		return false;
	}
	ok = fgets(out, SECRET_MAX + 1, f) != NULL;
	fclose(f);
	if (ok)
		out[strcspn(out, "\r\n")] = '\0';
	if (!ok || out[0] == '\0') {
		fprintf(stderr, "camtrapctl: %s: no community in it\n", path);
		return false;
	}
	return true;
}

static void
complain(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

static void
say(void *arg, const char *kind, const char *what, uint32_t count)
{
	const char *wanted = arg;
	char clean[TEXT_MAX + 1];

	if (!str_eq(kind, wanted))
		return;
	text_clean(clean, sizeof clean, what, strlen(what));
	if (str_eq(kind, "incomplete"))
		printf("  %s\n", clean);
	else
		printf("  %7u  %s\n", count, clean);
}

static void
summary(const struct probe *p, const struct poll_result *r)
{
	static const struct { const char *word; enum row_kind kind; } tables[] = { { "interfaces", ROW_IFACE },
		{ "forwarding entries", ROW_FDB }, { "neighbours", ROW_NEIGHBOUR }, { "ARP entries", ROW_ARP } };
	size_t n, count[ROW_NKINDS] = { 0 }, mapped = 0, unplaced = 0, not_learned = 0, cdp = 0, no_if = 0;
	const struct row *rows = tables_rows(r->tables, &n);
	char a[TEXT_MAX + 1], b[TEXT_MAX + 1];

	for (size_t i = 0; i < n; i++) {
		const struct row_fdb *f = &rows[i].fdb;

		count[rows[i].kind]++;
		if (rows[i].kind == ROW_FDB) {
			mapped += f->if_index != 0;
			unplaced += f->if_index == 0 && f->bridge_port == 0;
			not_learned += f->status == FDB_OTHER || f->status == FDB_MGMT;
		} else if (rows[i].kind == ROW_NEIGHBOUR) {
			cdp += rows[i].neighbour.table == TABLE_CDP;
			no_if += rows[i].neighbour.if_index == 0;
		} else if (rows[i].kind == ROW_SYSTEM)
			printf("%s: %s\n  %s\n  sysObjectID %s\n", p->address, octets_text(&rows[i].system.name, a, sizeof a),
			    octets_text(&rows[i].system.descr, b, sizeof b), rows[i].system.object_id);
	}
	printf("credential %s, %u requests, %u timed out\n\nread\n", r->credential != NULL ? r->credential : "-", r->requests, r->timeouts);
	for (size_t i = 0; i < nitems(tables); i++)
		printf("  %7zu  %s%s\n", count[tables[i].kind], tables[i].word,
		    tables_complete(r->tables) & ROW_BIT(tables[i].kind) ? "" : " (incomplete)");
	printf("forwarding entries: %zu with an interface, %zu with a bridge port only, %zu without a port, %zu not learned\n", mapped,
	    count[ROW_FDB] - mapped - unplaced, unplaced, not_learned);
	printf("neighbours: %zu by LLDP, %zu by CDP, %zu without a local interface\n", count[ROW_NEIGHBOUR] - cdp, cdp, no_if);
	printf("\nrules used\n");
	tables_diagnostics(r->tables, say, (void *)"rule");
	if (tables_dropped(r->tables) > 0) {
		printf("\ndropped\n");
		tables_diagnostics(r->tables, say, (void *)"dropped");
	}
	if (tables_complete(r->tables) != ROW_ALL) {
		printf("\nincomplete\n");
		tables_diagnostics(r->tables, say, (void *)"incomplete");
	}
}

static void
wipe_progress(const struct probe *p)
{
	if (p->tty)
		fprintf(stderr, "\r\033[K");
}

static void
done(void *arg, const struct poll_result *r)
{
	struct probe *p = arg;
	json_t *j;

	p->done = true;
	event_base_loopbreak(p->base);
	wipe_progress(p);
	if (r->tables == NULL) {
		fprintf(stderr, "camtrapctl: %s: %s\n", p->address, r->error != NULL ? r->error : "no answer");
		p->status = EXIT_SILENT;
		return;
	}
	p->status = tables_complete(r->tables) == ROW_ALL ? EXIT_FINE : EXIT_PARTIAL;
	if (!p->json) {
		summary(p, r);
		if (r->error != NULL)
			fprintf(stderr, "camtrapctl: %s: %s\n", p->address, r->error);
		tables_free(r->tables);
		return;
	}
	if ((j = probe_json(r->tables, r->requests)) == NULL || json_dumpf(j, stdout, PROBE_JSON_FLAGS) < 0) {
		fprintf(stderr, "camtrapctl: %s: out of memory\n", p->address);
		p->status = EXIT_PARTIAL;
	}
	putchar('\n');
	json_decref(j);
	tables_free(r->tables);
}

static void
tick(evutil_socket_t fd, short what, void *arg)
{
	struct probe *p = arg;
	unsigned at, all;
	const char *step;

	(void)fd, (void)what;
	if (mono_since(p->started, mono_now()) >= p->timeout_ms) {
		p->timed_out = true;
		event_base_loopbreak(p->base);
		return;
	}
	if (p->tty) {
		poll_progress(p->poll, &at, &all, &step);
		fprintf(stderr, "\r\033[K%s: %u of %u: %s", p->address, at, all, step);
	}
}

static int
run(struct probe *p, const struct conf *conf, const struct conf_switch *sw)
{
	static const struct timeval often = { 0, 250000 };
	struct snmp *snmp = NULL;

	p->base = event_base_new();
	if (p->base == NULL || (snmp = snmp_new(p->base)) == NULL || (p->poll = poll_new(snmp, conf, sw, done, p)) == NULL ||
	    (p->tick = event_new(p->base, -1, EV_PERSIST, tick, p)) == NULL || event_add(p->tick, &often) < 0) {
		fprintf(stderr, "camtrapctl: probe: cannot start: %m\n");
		p->status = EXIT_SILENT;
	} else {
		p->started = mono_now();
		poll_start(p->poll);
		if (!p->done)
			event_base_dispatch(p->base);
		if (!p->done) {
			wipe_progress(p);
			fprintf(stderr, "camtrapctl: %s: not finished %s\n", p->address, p->timed_out ? "in the time allowed" : "");
			p->status = EXIT_SILENT;
		}
	}
	if (p->tick != NULL)
		event_free(p->tick);
	poll_free(p->poll);
	snmp_free(snmp);
	if (p->base != NULL)
		event_base_free(p->base);
	return p->status;
}

int
cmd_probe(int argc, char **argv, const char *conf_path, bool json)
{
	static const struct option options[] = { { "community", required_argument, NULL, 'C' },
		{ "community-file", required_argument, NULL, 'F' }, { "credential", required_argument, NULL, 'N' },
		{ "config", required_argument, NULL, 'c' }, { "timeout", required_argument, NULL, 't' },
		{ "json", no_argument, NULL, 'j' }, { NULL, 0, NULL, 0 } };
	struct probe p = { .json = json, .timeout_ms = TIMEOUT_S * 1000 };
	struct conf_credential one = { .name = (char *)"probe", .version = SNMP_V2C };
	struct conf small = { .credentials = &one, .n_credentials = 1 }, *file = NULL;
	const struct conf *conf = &small;
	char secret[SECRET_MAX + 1] = "", *name = NULL;
	struct conf_switch sw = { .credentials = { &name, 1 }, .max_in_flight = 1, .max_rows = 262144, .poll_interval_s = 300,
	    .pulse_interval_s = 60 };
	const char *community = NULL, *community_file = NULL, *credential = NULL;
	uint64_t seconds;
	int c, status;

	optind = 0;			/* starts anew, also for what GNU's keeps behind it */
	while ((c = getopt_long(argc, argv, "c:", options, NULL)) != -1)
		switch (c) {
		case 'C':
			community = optarg;
			break;
		case 'F':
			community_file = optarg;
			break;
		case 'N':
			credential = optarg;
			break;
		case 'c':
			conf_path = optarg;
			break;
		case 't':
			if (num_parse(optarg, 1, 3600, &seconds) < 0)
				return usage("--timeout: seconds, 1 to 3600");
			p.timeout_ms = (int64_t)seconds * 1000;
			break;
		case 'j':
			p.json = true;
			break;
		default:
			return usage(NULL);
		}
	if (optind + 1 != argc)
		return usage(optind < argc ? "one address only" : "no address");
	if ((community != NULL) + (community_file != NULL) + (credential != NULL) > 1)
		return usage("--community, --community-file and --credential exclude each other");
	p.address = argv[optind];
	if (ip_port_parse(p.address, SNMP_PORT, &sw.address) < 0)
		return usage("not an address (names are not looked up)");
	if (credential != NULL) {
		if (conf_path == NULL)
			return usage("--credential needs a configuration");
		if ((file = conf_load(conf_path, complain, NULL)) == NULL)
			return EXIT_USAGE;
		if (conf_credential(file, credential) == NULL) {
			fprintf(stderr, "camtrapctl: %s: no credential \"%s\"\n", conf_path, credential);
			conf_free(file);
			return EXIT_USAGE;
		}
		conf = file;
		name = (char *)credential;
	} else {
		if (community_file != NULL && !first_line(community_file, secret))
			return EXIT_USAGE;
		if (community_file == NULL && community == NULL && (community = getenv("CAMTRAPD_COMMUNITY")) == NULL)
			return usage("no credential");
		one.community = community_file != NULL ? secret : (char *)community;
		name = one.name;
	}
	sw.name = (char *)p.address;
	sw.key = hash_bytes(p.address, strlen(p.address));
	p.tty = isatty(STDERR_FILENO) == 1;
	status = run(&p, conf, &sw);
	conf_free(file);
	explicit_bzero(secret, sizeof secret);
	return status;
}
