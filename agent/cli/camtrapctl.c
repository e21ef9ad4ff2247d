/* agent/cli/camtrapctl.c: camtrapctl(1): options, and which command. The daemon does the work; this asks and prints. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/num.h"
#include "cli/classify.h"
#include "cli/client.h"
#include "cli/mib.h"
#include "cli/probe.h"
#include "cli/render.h"
#include "config/conf.h"

#define CONF_DEFAULT CAMTRAPD_SYSCONFDIR "/camtrapd.conf"
#define SOCKET_DEFAULT "/run/camtrapd/control.sock"
#define MIB_ROOT_DEFAULT "1.3.6.1.4.1.8072.9999.9999.7162"
#define PAGE 10000			/* the most that views gives at once: the newest ones */
#define FOLLOW_S 2

struct ctl {
	const char	*conf_path, *socket;	/* NULL: not said */
	char		 socket_path[108];
	enum format	 format;
};

static void
usage(FILE *out)
{
	fprintf(out,
	    "usage: camtrapctl [-c FILE | -s SOCKET] [--json | --csv] COMMAND\n"
	    "  status                the daemon: switches, devices, outbox, latency\n"
	    "  switches [NAME]       how each switch was polled\n"
	    "  devices [--site S] [--switch S] [--vendor V] [--presence P] [--handling H] [--origin O] [--since T] [--severity S]\n"
	    "  device ID             everything about one restricted device\n"
	    "  find TEXT | --all     any station by MAC, part of a MAC, IP address or maker\n"
	    "  events [--follow] [--since T]\n"
	    "  poll SWITCH           poll now\n"
	    "  test RECEIVER         send a test notification\n"
	    "no daemon needed:\n"
	    "  probe ADDRESS[:PORT]  one poll of one switch, explained\n"
	    "  classify MAC          what would be said of such a device\n"
	    "  mib                   CAMTRAPD-MIB with the configured root\n"
	    "  -c, --config FILE     configuration (default " CONF_DEFAULT ")\n"
	    "  -s, --socket SOCKET   control socket (default: run_dir of the configuration)\n"
	    "      --json, --csv     for programs\n"
	    "      --version, --help\n");
}

static int
wrong(const char *what)
{
	fprintf(stderr, "camtrapctl: %s; camtrapctl --help tells the commands\n", what);
	return EXIT_USAGE;
}

static void
complain(void *arg, const char *line)
{
	if (arg != NULL)
		fprintf(stderr, "%s\n", line);
}

/* False: it was said why. Without -c and -s a configuration that cannot be read is no mistake: its secrets may be root's. */
static bool
socket_find(struct ctl *c)
{
	struct conf *conf;
	int n;

	if (c->socket != NULL)
		n = snprintf(c->socket_path, sizeof c->socket_path, "%s", c->socket);
	else if ((conf = conf_load(c->conf_path != NULL ? c->conf_path : CONF_DEFAULT, complain, (void *)(uintptr_t)c->conf_path)) != NULL) {
		n = snprintf(c->socket_path, sizeof c->socket_path, "%s/control.sock", conf->run_dir);
		conf_free(conf);
	} else if (c->conf_path != NULL)
		return false;
	else
		n = snprintf(c->socket_path, sizeof c->socket_path, "%s", SOCKET_DEFAULT);
	if (n < 0 || (size_t)n >= sizeof c->socket_path) {
		fprintf(stderr, "camtrapctl: the socket's path is longer than %zu octets\n", sizeof c->socket_path - 1);
		return false;
	}
	return true;
}

static int
ask_and_print(struct ctl *c, const char *command, json_t *request)
{
	int status;
	json_t *doc;

	if (!socket_find(c)) {
		json_decref(request);
		return EXIT_REFUSED;
	}
	if ((doc = client_ask(c->socket_path, request, &status)) == NULL)
		return status;
	status = render(command, doc, c->format);
	json_decref(doc);
	return status;
}

static int
cmd_simple(struct ctl *c, int argc, char **argv, int least, int most)
{
	if (argc - 1 < least || argc - 1 > most)
		return wrong(least > 0 ? "one argument is wanted" : "too many arguments");
	if (argc > 1 && strlen(argv[1]) > 255)
		return wrong("the argument is longer than 255 octets");
	return ask_and_print(c, argv[0], json_pack("{s:s, s:s}", "command", argv[0], "argument", argc > 1 ? argv[1] : ""));
}

static int
cmd_find(struct ctl *c, int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--all") == 0)
		return ask_and_print(c, "find", json_pack("{s:s, s:b}", "command", "find", "all", 1));
	if (argc == 2 && argv[1][0] == '\0')
		return wrong("an empty text finds nothing");
	return cmd_simple(c, argc, argv, 1, 1);
}

/* The newest events, oldest first; with `follow` those after the last one are asked for again and again. */
static int
events_run(struct ctl *c, json_t *filters, bool follow)
{
	json_t *all = json_array(), *doc, *list;
	json_int_t after = 0;
	int status = EXIT_DONE;
	bool first = true, more;

	for (;;) {
		doc = client_ask(c->socket_path, json_pack("{s:s, s:O, s:I, s:i}", "command", "events", "filters", filters, "after", after,
		    "limit", PAGE), &status);
		if (doc == NULL)
			break;
		list = json_object_get(doc, "events");
		if (json_is_integer(json_object_get(doc, "after")))
			after = json_integer_value(json_object_get(doc, "after"));
		more = json_is_true(json_object_get(doc, "more"));
		if (follow && !first)
			render_more_events(doc, c->format);
		else
			json_array_extend(all, list);
		json_decref(doc);
		if (more)
			continue;
		if (first) {
			doc = json_pack("{s:i, s:O}", "version", 1, "events", all);
			if (follow && c->format == FORMAT_JSON)
				render_more_events(doc, c->format);	/* a document a line: it has no end */
			else
				status = render("events", doc, c->format);
			fflush(stdout);
			json_decref(doc);
			first = false;
		}
		if (!follow)
			break;
		sleep(FOLLOW_S);
	}
	json_decref(all);
	json_decref(filters);
	return status;
}

/* devices and events: filters as options. */
static int
cmd_filtered(struct ctl *c, int argc, char **argv)
{
	static const struct option options[] = { { "site", required_argument, NULL, 1 }, { "switch", required_argument, NULL, 1 },
		{ "vendor", required_argument, NULL, 1 }, { "presence", required_argument, NULL, 1 },
		{ "handling", required_argument, NULL, 1 }, { "origin", required_argument, NULL, 1 },
		{ "since", required_argument, NULL, 1 }, { "severity", required_argument, NULL, 1 },
		{ "follow", no_argument, NULL, 2 }, { NULL, 0, NULL, 0 } };
	bool events = strcmp(argv[0], "events") == 0, follow = false;
	json_t *filters = json_object();
	int o, at = 0;

	optind = 0;
	while ((o = getopt_long(argc, argv, "", options, &at)) != -1) {
		if (o == 1 && json_object_set_new(filters, options[at].name, json_string(optarg)) == 0)
			continue;
		if (o == 2 && events) {
			follow = true;
			continue;
		}
		json_decref(filters);
		return wrong("a wrong option");
	}
	if (optind != argc) {
		json_decref(filters);
		return wrong("too many arguments");
	}
	if (!events)
		return ask_and_print(c, argv[0], json_pack("{s:s, s:o}", "command", argv[0], "filters", filters));
	if (!socket_find(c)) {
		json_decref(filters);
		return EXIT_REFUSED;
	}
	return events_run(c, filters, follow);
}

static int
mib(const struct ctl *c)
{
	struct conf *conf = conf_load(c->conf_path != NULL ? c->conf_path : CONF_DEFAULT, complain, (void *)(uintptr_t)c->conf_path);
	int status;

	if (conf == NULL && c->conf_path != NULL)
		return EXIT_REFUSED;
	status = cmd_mib(conf != NULL && conf->mib_root != NULL ? conf->mib_root : MIB_ROOT_DEFAULT);
	conf_free(conf);
	return status;
}

static int
command(struct ctl *c, int argc, char **argv)
{
	static const struct { const char *name; int least, most; } simple[] = { { "status", 0, 0 }, { "switches", 0, 1 },
		{ "device", 1, 1 }, { "poll", 1, 1 }, { "test", 1, 1 } };
	uint64_t id;

	/* The form of the answer may also be said after the command. */
	for (int i = 1; i < argc; i++) {
		bool json = strcmp(argv[i], "--json") == 0;

		if (!json && strcmp(argv[i], "--csv") != 0)
			continue;
		c->format = json ? FORMAT_JSON : FORMAT_CSV;
		memmove(&argv[i], &argv[i + 1], (size_t)(argc - i) * sizeof *argv);
		argc--, i--;
	}
	if (strcmp(argv[0], "probe") == 0)
		return cmd_probe(argc, argv, c->conf_path, c->format == FORMAT_JSON);
	if (strcmp(argv[0], "classify") == 0)
		return cmd_classify(argc, argv, c->conf_path, c->format == FORMAT_JSON);
	if (strcmp(argv[0], "mib") == 0)
		return argc == 1 ? mib(c) : wrong("too many arguments");
	if (strcmp(argv[0], "find") == 0)
		return cmd_find(c, argc, argv);
	if (strcmp(argv[0], "devices") == 0 || strcmp(argv[0], "events") == 0)
		return cmd_filtered(c, argc, argv);
	if (strcmp(argv[0], "device") == 0 && argc == 2 && num_parse(argv[1], 1, UINT32_MAX, &id) < 0)
		return wrong("a device is named by its number");
	for (size_t i = 0; i < nitems(simple); i++)
		if (strcmp(argv[0], simple[i].name) == 0)
			return cmd_simple(c, argc, argv, simple[i].least, simple[i].most);
	return wrong("unknown command");
}

int
main(int argc, char **argv)
{
	static const struct option options[] = { { "config", required_argument, NULL, 'c' }, { "socket", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, 'j' }, { "csv", no_argument, NULL, 'C' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' }, { NULL, 0, NULL, 0 } };
	struct ctl c = { .format = FORMAT_TABLE };
	int o, status;

	while ((o = getopt_long(argc, argv, "+c:s:h", options, NULL)) != -1) {
		switch (o) {
		case 'c':
			c.conf_path = optarg;
			break;
		case 's':
			c.socket = optarg;
			break;
		case 'j':
			c.format = FORMAT_JSON;
			break;
		case 'C':
			c.format = FORMAT_CSV;
			break;
		case 'h':
			usage(stdout);
			return EXIT_DONE;
		case 'V':
			printf("camtrapctl %s\n", CAMTRAPD_VERSION);
			return EXIT_DONE;
		default:
			return EXIT_USAGE;
		}
	}
	if (optind == argc) {
		usage(stderr);
		return EXIT_USAGE;
	}
	status = command(&c, argc - optind, argv + optind);
	if (fflush(stdout) != 0 && errno != EPIPE) {
		fprintf(stderr, "camtrapctl: standard output: %s\n", strerror(errno));
		return EXIT_PARTIAL;
	}
	return status;
}
