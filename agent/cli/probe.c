/* agent/cli/probe.c: one poll with the poller's own code. */
#include "cli/probe.h"

#include <errno.h>
#include <event2/event.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "base/text.h"
#include "cli/probe_json.h"
#include "cli/record.h"
#include "cli/table.h"
#include "client/client.h"
#include "config/conf.h"
#include "poller/poll.h"

#define SNMP_PORT 161
#define TIMEOUT_S 120
#define SECRET_MAX 255

#define NO_ANSWER_TO_COMMUNITY "no answer: wrong address, wrong community or an access list; v1/v2c cannot tell which"

/* With --record: a file for the default context, and one for each VLAN context that answered; `of` is in order of asking. */
struct recording {
	const char		*path;		/* NULL: not wanted */
	const char		*secrets[3];
	struct { uint16_t vlan; struct record *r; } *of;
	size_t			 n;
	bool			 bad;		/* out of memory */
};

struct probe {
	struct event_base	*base;
	struct poll		*poll;
	struct event		*tick;
	struct recording	 recording;
	bool			 json, tty, done, timed_out, forced, by_community;
	struct vlan_set		 vlans;		/* --vlans, when `forced` */
	int64_t			 timeout_ms;
	struct mono		 started;
	const char		*address;
	int			 status;
};

static int
wrong(const char *why)
{
	fprintf(stderr, "camtrapctl: probe: %s\n", why);
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
say_context(void *arg, uint16_t vlan, uint32_t entries, bool whole)
{
	bool *first = arg;

	if (*first)
		printf("\nforwarding entries in VLAN contexts\n");
	*first = false;
	printf("  %7u  VLAN %u%s\n", entries, vlan, whole ? "" : " (incomplete)");
}

static void
summary(const struct probe *p, const struct poll_result *r)
{
	static const struct { const char *word; enum row_kind kind; } tables[] = { { "interfaces", ROW_IFACE },
		{ "forwarding entries", ROW_FDB }, { "neighbours", ROW_NEIGHBOUR }, { "ARP entries", ROW_ARP },
		{ "members of aggregates", ROW_LAG } };
	size_t at = 0, count[ROW_NKINDS] = { 0 }, mapped = 0, unplaced = 0, not_learned = 0, cdp = 0, no_if = 0;
	struct row row;
	bool first = true;
	char a[TEXT_MAX + 1], b[TEXT_MAX + 1];

	while (tables_next(r->tables, &at, &row)) {
		const struct row_fdb *f = &row.fdb;

		count[row.kind]++;
		if (row.kind == ROW_FDB) {
			mapped += f->if_index != 0;
			unplaced += f->if_index == 0 && f->bridge_port == 0;
			not_learned += f->status == FDB_OTHER || f->status == FDB_MGMT;
		} else if (row.kind == ROW_NEIGHBOUR) {
			cdp += row.neighbour.table == TABLE_CDP;
			no_if += row.neighbour.if_index == 0;
		} else if (row.kind == ROW_SYSTEM)
			printf("%s: %s\n  %s\n  sysObjectID %s\n", p->address, octets_text(&row.system.name, a, sizeof a),
			    octets_text(&row.system.descr, b, sizeof b), row.system.object_id);
	}
	printf("credential %s, %u requests, %u timed out\n\nread\n", r->credential != NULL ? r->credential : "-", r->requests, r->timeouts);
	for (size_t i = 0; i < nitems(tables); i++)
		printf("  %7zu  %s%s\n", count[tables[i].kind], tables[i].word,
		    tables_complete(r->tables) & ROW_BIT(tables[i].kind) ? "" : " (incomplete)");
	printf("forwarding entries: %zu with an interface, %zu with a bridge port only, %zu without a port, %zu not learned\n", mapped,
	    count[ROW_FDB] - mapped - unplaced, unplaced, not_learned);
	printf("neighbours: %zu by LLDP, %zu by CDP, %zu without a local interface\n", count[ROW_NEIGHBOUR] - cdp, cdp, no_if);
	tables_contexts(r->tables, say_context, &first);
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

/* Adds the record of a context; NULL: out of memory. */
static struct record *
recording_add(struct recording *rec, uint16_t vlan)
{
	void *of = realloc(rec->of, (rec->n + 1) * sizeof *rec->of);
	struct record *r = of != NULL ? record_new(rec->secrets, nitems(rec->secrets)) : NULL;

	if (of != NULL)
		rec->of = of;
	if (r == NULL) {
		rec->bad = true;
		return NULL;
	}
	rec->of[rec->n].vlan = vlan;
	rec->of[rec->n++].r = r;
	return r;
}

static void
recording_put(void *arg, const struct varbind *v)
{
	struct probe *p = arg;
	struct recording *rec = &p->recording;
	uint16_t vlan = poll_vlan(p->poll);
	struct record *r = rec->n > 0 && rec->of[rec->n - 1].vlan == vlan ? rec->of[rec->n - 1].r : recording_add(rec, vlan);

	if (r != NULL)
		record_put(r, v);
}

/* A context that has nothing gets an empty file: else it would look like one that did not answer. */
static void
recording_context(void *arg, uint16_t vlan, uint32_t entries, bool whole)
{
	struct recording *rec = arg;

	if (whole && entries == 0)
		(void)recording_add(rec, vlan);
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
		fprintf(stderr, "camtrapctl: %s: %s\n", p->address,
		    p->by_community && r->timeouts > 0 && !r->dropped ? NO_ANSWER_TO_COMMUNITY : r->error != NULL ? r->error : "no answer");
		p->status = EXIT_NO_DAEMON;
		return;
	}
	if (p->recording.path != NULL)
		tables_contexts(r->tables, recording_context, &p->recording);
	p->status = tables_complete(r->tables) == ROW_ALL ? EXIT_DONE : EXIT_PARTIAL;
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
	    (p->tick = event_new(p->base, -1, EV_PERSIST, tick, p)) == NULL || event_add(p->tick, &often) < 0 ||
	    (p->forced && !poll_vlans(p->poll, &p->vlans))) {
		fprintf(stderr, "camtrapctl: probe: cannot start: %m\n");
		p->status = EXIT_PARTIAL;
	} else {
		p->started = mono_now();
		if (p->recording.path != NULL)
			poll_tap(p->poll, recording_put, p);
		poll_start(p->poll);
		if (!p->done)
			event_base_dispatch(p->base);
		if (!p->done) {
			wipe_progress(p);
			fprintf(stderr, "camtrapctl: %s: not finished%s%s\n", p->address, p->timed_out ? " in the time allowed" : "",
			    p->by_community && poll_waiting(p->poll) ? ": " NO_ANSWER_TO_COMMUNITY : "");
			p->status = EXIT_PARTIAL;
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

/* What was typed. */
struct options { const char *community, *community_file, *credential, *record; };

/* "10,20". false: it is not. */
static bool
vlans_read(struct probe *p, char *list)
{
	char *one;
	uint64_t vlan;

	while ((one = strsep(&list, ",")) != NULL) {
		if (num_parse(one, 1, VLAN_MAX, &vlan) < 0)
			return false;
		vlan_add(&p->vlans, (unsigned)vlan);
	}
	return p->forced = true;
}

static int
options_read(struct probe *p, struct options *o, int argc, char **argv)
{
	static const struct option options[] = { { "community", required_argument, NULL, 'C' },
		{ "community-file", required_argument, NULL, 'F' }, { "credential", required_argument, NULL, 'N' },
		{ "timeout", required_argument, NULL, 't' }, { "record", required_argument, NULL, 'r' },
		{ "vlans", required_argument, NULL, 'v' }, { NULL, 0, NULL, 0 } };
	uint64_t seconds;
	int c;

	optind = 0;			/* starts anew, also for what GNU's keeps behind it */
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'C':
			o->community = optarg;
			break;
		case 'F':
			o->community_file = optarg;
			break;
		case 'N':
			o->credential = optarg;
			break;
		case 'r':
			o->record = optarg;
			break;
		case 't':
			if (num_parse(optarg, 1, 3600, &seconds) < 0)
				return wrong("--timeout: seconds, 1 to 3600");
			p->timeout_ms = (int64_t)seconds * 1000;
			break;
		case 'v':
			if (!vlans_read(p, optarg))
				return wrong("--vlans: numbers 1 to 4094, with commas between them");
			break;
		default:
			return EXIT_USAGE;	/* getopt said why */
		}
	if (optind + 1 != argc)
		return wrong(optind < argc ? "one address only" : "no address");
	if ((o->community != NULL) + (o->community_file != NULL) + (o->credential != NULL) > 1)
		return wrong("--community, --community-file and --credential exclude each other");
	p->address = argv[optind];
	return EXIT_DONE;
}

/* `one` becomes the credential, or *file the configuration that has it. EXIT_DONE, or it was said what is wrong. */
static int
credential_find(const struct options *o, const char *conf_path, struct conf_credential *one, char secret[static SECRET_MAX + 1],
    struct conf **file)
{
	const char *community = o->community;

	if (o->credential != NULL) {
		if (conf_path == NULL)
			conf_path = CAMTRAPD_SYSCONFDIR "/camtrapd.conf";
		if ((*file = conf_load(conf_path, complain, NULL)) == NULL)
			return EXIT_REFUSED;
		if (conf_credential(*file, o->credential) != NULL)
			return EXIT_DONE;
		fprintf(stderr, "camtrapctl: %s: no credential \"%s\"\n", conf_path, o->credential);
		return EXIT_REFUSED;
	}
	if (o->community_file != NULL) {
		one->community = secret;
		return first_line(o->community_file, secret) ? EXIT_DONE : EXIT_REFUSED;
	}
	if (community == NULL && (community = getenv("CAMTRAPD_COMMUNITY")) == NULL)
		return wrong("no credential: --community-file FILE, --credential NAME or CAMTRAPD_COMMUNITY in the environment");
	one->community = (char *)(uintptr_t)community;
	return EXIT_DONE;
}

/* FILE, or FILE@VLAN with the VLAN in front of its extension: NAME.snmprec, NAME@505.snmprec. false: too long. */
static bool
recording_path(const char *path, uint16_t vlan, char *out, size_t max)
{
	const char *slash = strrchr(path, '/'), *dot = strrchr(slash != NULL ? slash : path, '.');
	int stem = dot != NULL && dot > path ? (int)(dot - path) : (int)strlen(path);
	int n = vlan == 0 ? snprintf(out, max, "%s", path) : snprintf(out, max, "%.*s@%u%s", stem, path, vlan, path + stem);

	return n >= 0 && (size_t)n < max;
}

static void
recording_end(struct probe *p)
{
	struct recording *rec = &p->recording;
	size_t objects = 0, withheld = 0, one, held;
	char path[4096] = "";
	int rc = 0;

	if (rec->n == 0 && !rec->bad)
		(void)recording_add(rec, 0);
	for (size_t i = 0; i < rec->n && rc == 0; i++) {
		rc = recording_path(rec->path, rec->of[i].vlan, path, sizeof path) ? record_write(rec->of[i].r, path, &one, &held) : -ENAMETOOLONG;
		if (rc == 0) {
			objects += one;
			withheld += held;
		}
	}
	if (rec->bad && rc == 0)
		rc = -ENOMEM;
	if (rc < 0) {
		fprintf(stderr, "camtrapctl: %s: %s\n", path, strerror(-rc));
		p->status = EXIT_PARTIAL;
		return;
	}
	fprintf(stderr, "camtrapctl: %s: %zu objects", rec->path, objects);
	if (rec->n > 1)
		fprintf(stderr, " in it and %zu files of VLAN contexts beside it", rec->n - 1);
	if (withheld > 0)
		fprintf(stderr, ", %zu left out because a secret is in them", withheld);
	fprintf(stderr, "; names, addresses and MACs of your network are in %s\n", rec->n > 1 ? "them" : "it");
}

static void
recording_free(struct recording *rec)
{
	for (size_t i = 0; i < rec->n; i++)
		record_free(rec->of[i].r);
	free(rec->of);
}

int
cmd_probe(int argc, char **argv, const char *conf_path, bool json)
{
	struct probe p = { .json = json, .timeout_ms = TIMEOUT_S * 1000 };
	struct conf_credential one = { .name = (char *)"probe", .version = SNMP_V2C };
	struct conf small = { .credentials = &one, .n_credentials = 1 }, *file = NULL;
	struct options o = { 0 };
	const struct conf_credential *used;
	char secret[SECRET_MAX + 1] = "", *name = one.name;
	struct conf_switch sw = { .credentials = { &name, 1 }, .max_in_flight = 1, .max_rows = 262144, .poll_interval_s = 300,
	    .pulse_interval_s = 60 };
	int status;

	if ((status = options_read(&p, &o, argc, argv)) != EXIT_DONE)
		return status;
	if (ip_port_parse(p.address, SNMP_PORT, &sw.address) < 0)
		return wrong("not an address (names are not looked up)");
	if (o.record != NULL && access(o.record, F_OK) == 0)
		return wrong("--record: there is such a file already");
	if ((status = credential_find(&o, conf_path, &one, secret, &file)) != EXIT_DONE)
		goto out;
	if (o.credential != NULL)
		name = (char *)(uintptr_t)o.credential;
	used = file != NULL ? conf_credential(file, o.credential) : &one;
	memcpy(p.recording.secrets, (const char *[]){ used->community, used->auth_secret, used->priv_secret }, sizeof p.recording.secrets);
	p.recording.path = o.record;
	p.by_community = used->version != SNMP_V3;
	sw.name = (char *)(uintptr_t)p.address;
	sw.key = hash_bytes(p.address, strlen(p.address));
	p.tty = isatty(STDERR_FILENO) == 1;
	run(&p, file != NULL ? file : &small, &sw);
	if (o.record != NULL)
		recording_end(&p);
	status = p.status;
out:
	recording_free(&p.recording);
	conf_free(file);
	explicit_bzero(secret, sizeof secret);
	return status;
}
