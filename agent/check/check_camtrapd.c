/* agent/check/check_camtrapd.c: check_camtrapd(1): options, the questions to the daemon, the time-out, and the one way out. The judging
 * is done in modes.c. Everything is said on standard output, the only one that a monitoring system shows. */
#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/num.h"
#include "check/modes.h"
#include "check/result.h"
#include "client/client.h"

#define TIMEOUT_S 10
#define TIMEOUT_MAX_S 3600
#define CYCLES 2			/* Q5 */
#define CYCLES_MAX 1000
#define SINCE_MS (24 * 3600000ull)
#define ARGUMENT_MAX 255

struct check {
	const struct mode *mode;
	struct question	 q;
	const char	*socket, *conf_path;	/* NULL: not said */
	unsigned	 timeout_s;
	enum check_state timeout_state;
	bool		 timeout_state_set, details;
};

/* Says it and ends: UNKNOWN for all that is not about the network. */
static void leave(enum check_state state, const char *fmt, ...) __attribute__((format(printf, 2, 3), noreturn));

static void
leave(enum check_state state, const char *fmt, ...)
{
	struct result r = { 0 };
	char text[512];
	va_list ap;

	alarm(0);
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	result_problem(&r, state, "%s", text);
	exit(result_print(&r, false, stdout));
}

/* ---- the time-out */

static struct { char line[256]; size_t n; int state; } late;

static void
alarm_cb(int number)
{
	ssize_t n = write(STDOUT_FILENO, late.line, late.n);

	(void)number, (void)n;
	_exit(late.state);
}

/* An alarm, as it ends whatever it is that hangs: the daemon, a full queue of its socket, or a file system with the configuration. */
static void
timeout_start(const struct check *c)
{
	struct sigaction sa = { .sa_handler = alarm_cb };
	int n;

	late.state = (int)c->timeout_state;
	n = snprintf(late.line, sizeof late.line, "CAMTRAPD %s: the daemon does not answer within %u s\n", check_state_word(c->timeout_state),
	    c->timeout_s);
	late.n = n > 0 && (size_t)n < sizeof late.line ? (size_t)n : 0;
	sigaction(SIGALRM, &sa, NULL);
	alarm(c->timeout_s);
}

/* ---- options */

enum { OPT_WARNING_AGE = 256, OPT_CRITICAL_AGE, OPT_CYCLES, OPT_SINCE, OPT_SITE, OPT_SWITCH, OPT_VENDOR, OPT_SOCKET, OPT_CONFIG };

static const struct option options[] = { { "mode", required_argument, NULL, 'm' }, { "warning", required_argument, NULL, 'w' },
	{ "critical", required_argument, NULL, 'c' }, { "warning-age", required_argument, NULL, OPT_WARNING_AGE },
	{ "critical-age", required_argument, NULL, OPT_CRITICAL_AGE }, { "cycles", required_argument, NULL, OPT_CYCLES },
	{ "since", required_argument, NULL, OPT_SINCE }, { "site", required_argument, NULL, OPT_SITE },
	{ "switch", required_argument, NULL, OPT_SWITCH }, { "vendor", required_argument, NULL, OPT_VENDOR },
	{ "socket", required_argument, NULL, OPT_SOCKET }, { "config", required_argument, NULL, OPT_CONFIG },
	{ "timeout", required_argument, NULL, 't' }, { "verbose", no_argument, NULL, 'v' }, { "version", no_argument, NULL, 'V' },
	{ "help", no_argument, NULL, 'h' }, { NULL, 0, NULL, 0 } };

/* Options that only some modes take. */
static const struct { int option; unsigned bit; const char *name; } only[] = { { 'w', TAKES_THRESHOLDS, "--warning" },
	{ 'c', TAKES_THRESHOLDS, "--critical" }, { OPT_WARNING_AGE, TAKES_AGES, "--warning-age" },
	{ OPT_CRITICAL_AGE, TAKES_AGES, "--critical-age" }, { OPT_CYCLES, TAKES_CYCLES, "--cycles" }, { OPT_SINCE, TAKES_SINCE, "--since" },
	{ OPT_SITE, TAKES_PLACE, "--site" }, { OPT_SWITCH, TAKES_PLACE, "--switch" }, { OPT_VENDOR, TAKES_VENDOR, "--vendor" } };

static void
modes_print(void)
{
	const struct mode *m;

	for (size_t i = 0; (m = mode_at(i)) != NULL; i++)
		printf("  %-9s  %s\n", mode_name(m), mode_help(m));
}

static void
usage(void)
{
	printf("check_camtrapd %s\nusage: check_camtrapd --mode MODE [-w RANGE] [-c RANGE] [OPTIONS]\n", CAMTRAPD_VERSION);
	modes_print();
	printf("Options:\n"
	    "  -w, --warning RANGE       WARNING outside [START:]END (@: inside; ~: no lower bound)\n"
	    "  -c, --critical RANGE      CRITICAL\n"
	    "      --warning-age RANGE   outbox: seconds that the oldest notification has waited\n"
	    "      --critical-age RANGE\n"
	    "      --cycles N            poll intervals after which state is old (%d)\n"
	    "      --since DURATION      new: how far back, such as 30m or 7d (24h)\n"
	    "      --site NAME, --switch NAME, --vendor TEXT\n"
	    "      --socket SOCKET       control socket (default: run_dir of the configuration)\n"
	    "      --config FILE         configuration (default %s)\n"
	    "  -t, --timeout S[:STATE]   give up after S seconds (%d) with this state\n"
	    "  -v, --verbose             devices, switches or receivers, a line each\n"
	    "  -V, --version; -h, --help\n"
	    "Exit status: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN. See check_camtrapd(1).\n", CYCLES, CONF_DEFAULT, TIMEOUT_S);
}

static void
range_read(const char *option, const char *text, struct range *out)
{
	int rc = range_parse(text, out);

	if (rc == -ERANGE)
		leave(CHECK_UNKNOWN, "%s %s: the range ends before it starts", option, text);
	if (rc < 0)
		leave(CHECK_UNKNOWN, "%s %s: a range such as 10, 10:, ~:10, 10:20 or @10:20 is wanted", option, text);
}

static const char *
text_read(const char *option, const char *text)
{
	if (text[0] == '\0' || strlen(text) > ARGUMENT_MAX)
		leave(CHECK_UNKNOWN, "%s: a text of 1 to %d octets is wanted", option, ARGUMENT_MAX);
	return text;
}

static uint64_t
number_read(const char *option, const char *text, uint64_t max)
{
	uint64_t n;

	if (num_parse(text, 1, max, &n) < 0)
		leave(CHECK_UNKNOWN, "%s %s: a number from 1 to %llu is wanted", option, text, (unsigned long long)max);
	return n;
}

static void
since_read(struct check *c, const char *text)
{
	if (duration_parse(text, &c->q.since_ms) < 0 || c->q.since_ms == 0 || c->q.since_ms > (uint64_t)c->q.now.us / 1000)
		leave(CHECK_UNKNOWN, "--since %s: a duration such as 30m, 24h or 7d is wanted", text);
}

/* "10", "10:2" or "10:critical". */
static void
timeout_read(struct check *c, const char *text)
{
	const char *colon = strchr(text, ':');
	char seconds[16], digit[2] = "0";
	size_t n = colon != NULL ? (size_t)(colon - text) : strlen(text);

	if (n >= sizeof seconds)
		leave(CHECK_UNKNOWN, "--timeout %s: that is too long", text);
	memcpy(seconds, text, n);
	seconds[n] = '\0';
	c->timeout_s = (unsigned)number_read("--timeout", seconds, TIMEOUT_MAX_S);
	c->timeout_state_set = colon != NULL;
	for (unsigned s = CHECK_OK; colon != NULL && s <= CHECK_UNKNOWN; s++) {
		digit[0] = (char)('0' + s);
		if (strcasecmp(colon + 1, check_state_word(s)) == 0 || strcmp(colon + 1, digit) == 0) {
			c->timeout_state = s;
			return;
		}
	}
	if (colon != NULL)
		leave(CHECK_UNKNOWN, "--timeout %s: the state is ok, warning, critical or unknown", text);
}

static void
mode_read(struct check *c, const char *text)
{
	if (strcmp(text, "list") == 0) {
		modes_print();
		exit(CHECK_UNKNOWN);
	}
	if ((c->mode = mode_named(text)) == NULL)
		leave(CHECK_UNKNOWN, "there is no mode %s; --mode list tells which there are", text);
}

static void
option_take(struct check *c, int option)
{
	switch (option) {
	case 'm':
		mode_read(c, optarg);
		break;
	case 'w':
		range_read("--warning", optarg, &c->q.warning);
		break;
	case 'c':
		range_read("--critical", optarg, &c->q.critical);
		break;
	case OPT_WARNING_AGE:
		range_read("--warning-age", optarg, &c->q.warning_age);
		break;
	case OPT_CRITICAL_AGE:
		range_read("--critical-age", optarg, &c->q.critical_age);
		break;
	case OPT_CYCLES:
		c->q.cycles = (unsigned)number_read("--cycles", optarg, CYCLES_MAX);
		break;
	case OPT_SINCE:
		since_read(c, optarg);
		break;
	case OPT_SITE:
		c->q.site = text_read("--site", optarg);
		break;
	case OPT_SWITCH:
		c->q.switch_name = text_read("--switch", optarg);
		break;
	case OPT_VENDOR:
		c->q.vendor = text_read("--vendor", optarg);
		break;
	case OPT_SOCKET:
		c->socket = text_read("--socket", optarg);
		break;
	case OPT_CONFIG:
		c->conf_path = text_read("--config", optarg);
		break;
	case 't':
		timeout_read(c, optarg);
		break;
	case 'v':
		c->details = true;
		break;
	case 'V':
		printf("check_camtrapd %s\n", CAMTRAPD_VERSION);
		exit(CHECK_UNKNOWN);
	case 'h':
		usage();
		exit(CHECK_UNKNOWN);
	}
}

/* getopt says what is wrong on standard error, where nobody looks. */
static void
option_wrong(int option, const char *word)
{
	if (option == ':')
		leave(CHECK_UNKNOWN, "%s wants an argument (--help tells)", word);
	if (strncmp(word, "--", 2) != 0)
		leave(CHECK_UNKNOWN, "there is no option -%c (--help tells)", optopt);
	leave(CHECK_UNKNOWN, "%s: there is no such option, or it takes no argument (--help tells)", word);
}

static void
options_read(struct check *c, int argc, char **argv)
{
	unsigned given = 0;		/* bits by the order of only[] */
	int o;

	opterr = 0;
	while ((o = getopt_long(argc, argv, ":m:w:c:t:vVh", options, NULL)) != -1) {
		if (o == ':' || o == '?')
			option_wrong(o, argv[optind - 1]);
		option_take(c, o);
		for (size_t i = 0; i < nitems(only); i++)
			if (only[i].option == o)
				given |= 1u << i;
	}
	if (optind < argc)
		leave(CHECK_UNKNOWN, "%s is no option (--help tells)", argv[optind]);
	if (c->mode == NULL)
		leave(CHECK_UNKNOWN, "--mode MODE is missing; --mode list tells which there are");
	for (size_t i = 0; i < nitems(only); i++)
		if ((given & 1u << i) != 0 && (mode_takes(c->mode) & only[i].bit) == 0)
			leave(CHECK_UNKNOWN, "mode %s does not take %s (--help tells)", mode_name(c->mode), only[i].name);
	if (c->socket != NULL && c->conf_path != NULL)
		leave(CHECK_UNKNOWN, "--socket and --config exclude each other");
	if (!c->timeout_state_set)
		c->timeout_state = mode_is_about_daemon(c->mode) ? CHECK_CRITICAL : CHECK_UNKNOWN;
}

/* ---- questions */

static void
socket_find(const struct check *c, char path[static SOCKET_PATH_MAX])
{
	size_t mistakes;
	int rc = client_socket(c->socket, c->conf_path, path, &mistakes);

	if (rc == -ENOENT)
		leave(CHECK_UNKNOWN, "%s: where the daemon listens is not known from that; --socket SOCKET says it", c->conf_path);
	if (rc < 0)
		leave(CHECK_UNKNOWN, "the path of the socket is longer than %d octets", SOCKET_PATH_MAX - 1);
}

/* Takes `request` over; the caller owns what is returned. */
static json_t *
ask(const struct check *c, const char *path, json_t *request)
{
	char why[WHY_MAX];
	int status = EXIT_PARTIAL;
	json_t *doc;

	if (request == NULL)
		leave(CHECK_UNKNOWN, "a value is not UTF-8");
	if ((doc = client_ask(path, request, &status, why)) == NULL)
		leave(status == EXIT_NO_DAEMON && mode_is_about_daemon(c->mode) ? CHECK_CRITICAL : CHECK_UNKNOWN, "%s", why);
	return doc;
}

/* Texts that are NULL are left out. */
static json_t *
devices_request(const struct check *c)
{
	return json_pack("{s:s, s:{s:s*, s:s*, s:s*}}", "command", "devices", "filters", "site", c->q.site, "switch", c->q.switch_name,
	    "vendor", c->q.vendor);
}

/* The caller owns the documents. */
static void
documents_ask(const struct check *c, json_t **status, json_t **devices, json_t **switches)
{
	unsigned wants = mode_wants(c->mode, &c->q);
	char path[SOCKET_PATH_MAX];

	socket_find(c, path);
	if ((wants & DOCUMENT_STATUS) != 0)
		*status = ask(c, path, json_pack("{s:s}", "command", "status"));
	if ((wants & DOCUMENT_SWITCHES) != 0)
		*switches = ask(c, path, json_pack("{s:s, s:s}", "command", "switches", "argument", c->q.switch_name != NULL ?
		    c->q.switch_name : ""));
	if ((wants & DOCUMENT_DEVICES) != 0)
		*devices = ask(c, path, devices_request(c));
}

int
main(int argc, char **argv)
{
	struct check c = { .q = { .cycles = CYCLES, .since_ms = SINCE_MS, .now = wall_now() }, .timeout_s = TIMEOUT_S };
	json_t *status = NULL, *devices = NULL, *switches = NULL;
	struct result r = { 0 };
	int code;

	options_read(&c, argc, argv);
	timeout_start(&c);
	documents_ask(&c, &status, &devices, &switches);
	c.q.now = wall_now();
	mode_judge(c.mode, &c.q, &(struct documents){ status, devices, switches }, &r);
	alarm(0);			/* from here nothing can hang, and there is only one line */
	code = result_print(&r, c.details, stdout);
	result_free(&r);
	json_decref(status);
	json_decref(devices);
	json_decref(switches);
	return fflush(stdout) == 0 ? code : CHECK_UNKNOWN;
}
