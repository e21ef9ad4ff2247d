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
#include "cli/doctor.h"
#include "cli/mib.h"
#include "cli/probe.h"
#include "cli/render.h"
#include "client/client.h"
#include "config/conf.h"

#define MIB_ROOT_DEFAULT "1.3.6.1.4.1.8072.9999.9999.7162"
#define PAGE 1000			/* events asked for at once */
#define FOLLOW_S 2
#define ARGUMENT_MAX 255

struct command;

struct ctl {
	const char	*conf_path, *socket;	/* NULL: not said */
	char		 socket_path[SOCKET_PATH_MAX];
	enum format	 format;
	const struct command *command;
};

/* `run` returns the exit code and has said why; with EXIT_USAGE the command's usage is printed below that. */
struct command {
	const char	*name, *arguments, *help;
	int		(*run)(struct ctl *c, int argc, char **argv);
	int		 least, most;		/* arguments, for those without options */
	bool		 has_csv;
};

static int
wrong(const char *what)
{
	fprintf(stderr, "camtrapctl: %s\n", what);
	return EXIT_USAGE;
}

static void
complain(void *arg, const char *line)
{
	(void)arg;
	fprintf(stderr, "%s\n", line);
}

static void
complain_not(void *arg, const char *line)
{
	(void)arg, (void)line;
}

/* EXIT_DONE, or it was said why. */
static int
socket_find(struct ctl *c)
{
	size_t mistakes;
	int rc = client_socket(c->socket, c->conf_path, c->socket_path, &mistakes);

	if (rc == -ENOENT) {
		conf_free(conf_load(c->conf_path, complain, NULL));
		fprintf(stderr, "camtrapctl: where the daemon listens is not known from that; -s SOCKET says it\n");
	} else if (rc < 0) {
		fprintf(stderr, "camtrapctl: the socket's path is longer than %d octets\n", SOCKET_PATH_MAX - 1);
	} else if (mistakes > 0 && c->conf_path != NULL) {
		fprintf(stderr, "camtrapctl: warning: %s: %zu mistake%s (camtrapd --check says which); asking the daemon at %s\n", c->conf_path,
		    mistakes, mistakes == 1 ? "" : "s", c->socket_path);
	}
	return rc < 0 ? EXIT_REFUSED : EXIT_DONE;
}

/* Takes `request` over. */
static int
ask_and_print(struct ctl *c, json_t *request)
{
	int status = socket_find(c);
	char why[WHY_MAX];
	json_t *doc;

	if (status != EXIT_DONE) {
		json_decref(request);
		return status;
	}
	if ((doc = client_ask(c->socket_path, request, &status, why)) == NULL) {
		fprintf(stderr, "camtrapctl: %s\n", why);
		return status;
	}
	status = render(c->command->name, doc, c->format);
	json_decref(doc);
	return status;
}

static int
cmd_simple(struct ctl *c, int argc, char **argv)
{
	const char *argument = argc > 1 ? argv[1] : "";

	if (argc - 1 < c->command->least)
		return wrong("an argument is missing");
	if (argc - 1 > c->command->most)
		return wrong("too many arguments");
	if (argument[0] == '-')
		return wrong("unknown option");
	if (argc > 1 && argument[0] == '\0')
		return wrong("the argument is empty");
	if (strlen(argument) > ARGUMENT_MAX)
		return wrong("the argument is longer than 255 octets");
	return ask_and_print(c, json_pack("{s:s, s:s}", "command", c->command->name, "argument", argument));
}

static int
cmd_device(struct ctl *c, int argc, char **argv)
{
	uint64_t id;

	if (argc == 2 && num_parse(argv[1], 1, UINT32_MAX, &id) < 0)
		return wrong("a device is named by its number (the first column of camtrapctl devices)");
	return cmd_simple(c, argc, argv);
}

static int
cmd_find(struct ctl *c, int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--all") == 0)
		return ask_and_print(c, json_pack("{s:s, s:b}", "command", "find", "all", 1));
	return cmd_simple(c, argc, argv);
}

static int
cmd_poll(struct ctl *c, int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "--all") == 0)
		return ask_and_print(c, json_pack("{s:s, s:b}", "command", "poll", "all", 1));
	return cmd_simple(c, argc, argv);
}

static int
cmd_topology(struct ctl *c, int argc, char **argv)
{
	int kept = 1;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--dot") == 0)
			c->format = FORMAT_DOT;
		else
			argv[kept++] = argv[i];
	}
	return cmd_simple(c, kept, argv);
}

static int
run_doctor(struct ctl *c, int argc, char **argv)
{
	bool found;

	(void)argv;
	if (argc > 1)
		return wrong("too many arguments");
	found = socket_find(c) == EXIT_DONE;
	return cmd_doctor(found ? c->socket_path : NULL, "where it listens is not known",
	    c->conf_path != NULL ? c->conf_path : CONF_DEFAULT, c->conf_path != NULL, c->format);
}

/* ---- events, page by page */

struct events {
	struct ctl	*c;
	json_t		*filters;
	json_int_t	 after, epoch;		/* epoch 0: not known yet */
	bool		 more;
};

/* The next page; NULL: why and status say it. After state was lost the numbers start anew, and so do we. */
static json_t *
events_next(struct events *e, int *status, char why[static WHY_MAX])
{
	json_t *request = json_pack("{s:s, s:O, s:I, s:i}", "command", "events", "filters", e->filters, "after", e->after, "limit", PAGE), *doc;
	json_int_t epoch;

	if (e->epoch != 0)
		json_object_set_new(request, "epoch", json_integer(e->epoch));
	if ((doc = client_ask(e->c->socket_path, request, status, why)) == NULL)
		return NULL;
	epoch = json_integer_value(json_object_get(doc, "epoch"));
	if (e->epoch != 0 && epoch != e->epoch)
		fprintf(stderr, "camtrapctl: the daemon lost its state: the events start anew (epoch %lld)\n", (long long)epoch);
	e->epoch = epoch;
	e->after = json_integer_value(json_object_get(doc, "after"));
	e->more = json_is_true(json_object_get(doc, "more"));
	return doc;
}

/* All there are, in one document. */
static int
events_all(struct events *e)
{
	json_t *all = json_array(), *doc;
	char why[WHY_MAX];
	int status;

	for (;;) {
		json_int_t epoch = e->epoch;

		if ((doc = events_next(e, &status, why)) == NULL) {
			fprintf(stderr, "camtrapctl: %s\n", why);
			json_decref(all);
			return status;
		}
		if (epoch != 0 && epoch != e->epoch)
			json_array_clear(all);
		json_array_extend(all, json_object_get(doc, "events"));
		if (!e->more)
			break;
		json_decref(doc);
	}
	json_object_set_new(doc, "events", all);
	status = render("events", doc, e->c->format);
	json_decref(doc);
	return status;
}

/* Without end: a daemon that is away is waited for, once it has answered at all. */
static int
events_follow(struct events *e)
{
	char why[WHY_MAX];
	bool first = true, away = false;
	int status;

	for (;;) {
		json_t *doc = events_next(e, &status, why);

		if (doc == NULL) {
			if (first || status == EXIT_USAGE) {
				fprintf(stderr, "camtrapctl: %s\n", why);
				return status;
			}
			if (!away)
				fprintf(stderr, "camtrapctl: %s; waiting for it\n", why);
			away = true;
		} else {
			if (away)
				fprintf(stderr, "camtrapctl: the daemon answers again\n");
			away = false;
			render_events(doc, e->c->format, first);
			first = false;
			json_decref(doc);
			if (e->more)
				continue;
		}
		sleep(FOLLOW_S);
	}
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
	bool events = strcmp(c->command->name, "events") == 0, follow = false;
	struct events e = { .c = c, .filters = json_object() };
	int o, at = 0, status = EXIT_DONE;

	optind = 0;
	while (status == EXIT_DONE && (o = getopt_long(argc, argv, "", options, &at)) != -1) {
		if (o == 2 && events)
			follow = true;
		else if (o == 2)
			status = wrong("--follow is for events");
		else if (o != 1)
			status = EXIT_USAGE;		/* getopt said why */
		else if (json_object_set_new(e.filters, options[at].name, json_string(optarg)) < 0)
			status = wrong("a value that is not UTF-8");
	}
	if (status == EXIT_DONE && optind != argc)
		status = wrong("an argument that is no option");
	if (status == EXIT_DONE && !events) {
		status = ask_and_print(c, json_pack("{s:s, s:O}", "command", c->command->name, "filters", e.filters));
	} else if (status == EXIT_DONE && (status = socket_find(c)) == EXIT_DONE) {
		status = follow ? events_follow(&e) : events_all(&e);
	}
	json_decref(e.filters);
	return status;
}

/* ---- without the daemon */

static int
run_probe(struct ctl *c, int argc, char **argv)
{
	return cmd_probe(argc, argv, c->conf_path, c->format == FORMAT_JSON);
}

static int
run_classify(struct ctl *c, int argc, char **argv)
{
	return cmd_classify(argc, argv, c->conf_path, c->format == FORMAT_JSON);
}

static int
run_mib(struct ctl *c, int argc, char **argv)
{
	struct conf *conf;
	int status;

	(void)argv;
	if (argc > 1)
		return wrong("too many arguments");
	conf = conf_load(c->conf_path != NULL ? c->conf_path : CONF_DEFAULT, c->conf_path != NULL ? complain : complain_not, NULL);
	if (conf == NULL && c->conf_path != NULL)
		return EXIT_REFUSED;
	status = cmd_mib(conf != NULL && conf->mib_root != NULL ? conf->mib_root : MIB_ROOT_DEFAULT);
	conf_free(conf);
	return status;
}

#define FILTERS "[--site S] [--switch S] [--vendor V] [--presence P]\n            [--handling H] [--origin O] [--since T] [--severity S]"

static const struct command commands[] = {
	{ "status", "", "the daemon: switches, first sweep, devices, receivers, latency", cmd_simple, 0, 0, true },
	{ "switches", "[NAME]", "how each switch was polled", cmd_simple, 0, 1, true },
	{ "topology", "[--dot] [SWITCH]", "links between switches, and blind spots", cmd_topology, 0, 1, true },
	{ "doctor", "", "what is wired wrongly, and what to do about it", run_doctor, 0, 0, true },
	{ "devices", FILTERS, "restricted devices", cmd_filtered, 0, 0, true },
	{ "device", "ID", "everything about one restricted device", cmd_device, 1, 1, true },
	{ "find", "TEXT | --all", "any station by MAC, part of a MAC, IP address or maker", cmd_find, 1, 1, true },
	{ "events", "[--follow] " FILTERS, "the event log", cmd_filtered, 0, 0, true },
	{ "poll", "SWITCH|--all", "poll now and wait for the result", cmd_poll, 1, 1, true },
	{ "test", "RECEIVER", "send a test notification and wait for its acknowledgement", cmd_simple, 1, 1, true },
	{ "probe", PROBE_ARGUMENTS, "one poll of one switch, explained; no daemon needed", run_probe, 0, 0, false },
	{ "classify", CLASSIFY_ARGUMENTS, "what would be said of such a device; no daemon needed", run_classify, 0, 0, false },
	{ "mib", "", "CAMTRAPD-MIB with the configured root; no daemon needed", run_mib, 0, 0, false },
};

static void
usage(FILE *out)
{
	fprintf(out, "usage: camtrapctl [-c FILE | -s SOCKET] [--json | --csv] COMMAND\n");
	for (size_t i = 0; i < nitems(commands); i++)
		fprintf(out, "  %-8s  %s\n", commands[i].name, commands[i].help);
	fprintf(out, "camtrapctl COMMAND --help tells its arguments. Options:\n"
	    "  -c, --config FILE     configuration (default " CONF_DEFAULT ")\n"
	    "  -s, --socket SOCKET   control socket (default: run_dir of the configuration)\n"
	    "      --json, --csv     for programs\n"
	    "      --version, --help\n");
}

static void
usage_of(const struct command *command, FILE *out)
{
	fprintf(out, "usage: camtrapctl %s%s%s\n", command->name, command->arguments[0] != '\0' ? " " : "", command->arguments);
}

/* The form of the answer may also be said after the command. True: help was asked for. */
static bool
common_options(struct ctl *c, int *argc, char **argv)
{
	for (int i = 1; i < *argc && strcmp(argv[i], "--") != 0; i++) {
		bool json = strcmp(argv[i], "--json") == 0;

		if (strcmp(argv[i], "--help") == 0)
			return true;
		if (!json && strcmp(argv[i], "--csv") != 0)
			continue;
		c->format = json ? FORMAT_JSON : FORMAT_CSV;
		memmove(&argv[i], &argv[i + 1], (size_t)(*argc - i) * sizeof *argv);
		(*argc)--, i--;
	}
	return false;
}

static int
command_run(struct ctl *c, int argc, char **argv)
{
	char name[64];
	int status;

	for (size_t i = 0; i < nitems(commands); i++)
		if (strcmp(argv[0], commands[i].name) == 0)
			c->command = &commands[i];
	if (c->command == NULL) {
		fprintf(stderr, "camtrapctl: there is no command \"%s\"\n", argv[0]);
		usage(stderr);
		return EXIT_USAGE;
	}
	if (common_options(c, &argc, argv)) {
		usage_of(c->command, stdout);
		return EXIT_DONE;
	}
	snprintf(name, sizeof name, "camtrapctl: %s", c->command->name);
	argv[0] = name;			/* getopt's messages begin with it */
	status = c->format == FORMAT_CSV && !c->command->has_csv ? wrong("--csv: this command has no such form") : c->command->run(c, argc, argv);
	if (status == EXIT_USAGE)
		usage_of(c->command, stderr);
	return status;
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
			usage(stderr);
			return EXIT_USAGE;
		}
	}
	if (optind == argc) {
		fprintf(stderr, "camtrapctl: no command\n");
		usage(stderr);
		return EXIT_USAGE;
	}
	status = command_run(&c, argc - optind, argv + optind);
	if (fflush(stdout) != 0 && errno != EPIPE) {
		fprintf(stderr, "camtrapctl: standard output: %s\n", strerror(errno));
		return EXIT_PARTIAL;
	}
	return status;
}
