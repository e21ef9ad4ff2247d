/* tests/sim/campus.c: an emulated campus on loopback: up to 10,000 switches at their own addresses, in one process and on one socket,
 * with a control socket to change what is plugged in where, and to break things. It knows the truth and tells it. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control.h"
#include "network.h"
#include "number.h"
#include "recording.h"
#include "signals.h"
#include "wire.h"

enum { SWITCHES_MAX = 10000, PLAYED_MAX = 100 };

static struct {
	struct network_options net;
	struct wire_options wire;
	int		seconds, loss, dead;
	const char	*control, *config, *log, *traps, *syslog;
	const char	*v3_user, *auth, *auth_secret, *priv, *priv_secret;
	const char	*played[PLAYED_MAX];
	int		n_played;
} opt = {
	.net = { .switches = 50, .tree = TREE_MAX, .hosts = 20, .cameras = 5, .ports = 24, .ageing = 300, .first = 0x7f0a0001, .seed = 1 },
	.wire = { .port = 16161, .community = "public" },
	.seconds = 3600, .auth = "SHA-256", .auth_secret = "campus-auth-secret", .priv = "AES-128", .priv_secret = "campus-priv-secret",
};

static volatile sig_atomic_t stopped;

static const struct number_option { const char *name; int *at, min, max; const char *help; } numbers[] = {
	{ "switches",	&opt.net.switches,	1, SWITCHES_MAX,	"switches in all" },
	{ "tree",	&opt.net.tree,		1, 500,			"switches of one tree; more make more trees" },
	{ "hosts",	&opt.net.hosts,		0, 400,			"ordinary stations on each access switch" },
	{ "cameras",	&opt.net.cameras,	0, 100000,		"restricted ones in all" },
	{ "ports",	&opt.net.ports,		8, 96,			"ports of an access switch" },
	{ "ageing",	&opt.net.ageing,	1, 1000000,		"ageing time the switches tell" },
	{ "lag",	&opt.net.lag,		0, 100,			"percent of links that are aggregates of two" },
	{ "cdp",	&opt.net.cdp,		0, 100,			"percent of links on which CDP is spoken, not LLDP" },
	{ "contexts",	&opt.net.contexts,	0, 100,			"percent of access switches with a MAC table per VLAN context" },
	{ "dead",	&opt.dead,		0, 100,			"percent of switches that do not answer" },
	{ "loss",	&opt.loss,		0, 100,			"percent of questions lost" },
	{ "seconds",	&opt.seconds,		1, 1000000,		"ends by itself" },
};

static const struct text_option { const char *name; const char **at; const char *help; } texts[] = {
	{ "control",	&opt.control,		"path of the control socket" },
	{ "log",	&opt.log,		"file that gets each command with its time" },
	{ "config",	&opt.config,		"file to write sites, credentials and switches to, for camtrapd" },
	{ "community",	&opt.wire.community,	"for v1 and v2c" },
	{ "v3-user",	&opt.v3_user,		"speak v3, too; --config then names it alone" },
	{ "auth",	&opt.auth,		"SHA-1 to SHA-512" },
	{ "auth-secret", &opt.auth_secret,	"its passphrase" },
	{ "priv",	&opt.priv,		"AES-128, AES-256 or none" },
	{ "priv-secret", &opt.priv_secret,	"its passphrase" },
	{ "traps",	&opt.traps,		"ADDRESS:PORT for linkUp and linkDown traps" },
	{ "syslog",	&opt.syslog,		"ADDRESS:PORT for their syslog lines" },
};

enum { N_NUMBERS = sizeof numbers / sizeof *numbers, N_TEXTS = sizeof texts / sizeof *texts };

static void
usage(FILE *f)
{
	fprintf(f, "usage: campus [OPTION]...\n");
	for (size_t i = 0; i < N_NUMBERS; i++)
		fprintf(f, "  --%-12s N     %s (%d to %d; %d)\n", numbers[i].name, numbers[i].help, numbers[i].min, numbers[i].max, *numbers[i].at);
	for (size_t i = 0; i < N_TEXTS; i++)
		fprintf(f, "  --%-12s TEXT  %s\n", texts[i].name, texts[i].help);
	fprintf(f, "  --port N, --first ADDRESS (of 127.0.0.0/8), --seed N, --flood (every switch learns every station of its tree),\n"
	    "  --play SWITCH=FILE (a recording instead of that switch's own tables; repeatable)\n");
}

static bool
other_option(const char *name, const char *value)
{
	struct in_addr a;

	if (strcmp(name, "port") == 0)
		return (opt.wire.port = (uint16_t)strtoul(value, NULL, 10)) != 0;
	if (strcmp(name, "seed") == 0)
		opt.net.seed = (uint32_t)strtoul(value, NULL, 10);
	else if (strcmp(name, "flood") == 0)
		opt.net.flood = true;
	else if (strcmp(name, "first") == 0) {
		if (inet_pton(AF_INET, value, &a) != 1 || ntohl(a.s_addr) >> 24 != 127)
			return false;
		opt.net.first = ntohl(a.s_addr);
	} else if (strcmp(name, "play") == 0 && opt.n_played < PLAYED_MAX && strchr(value, '=') != NULL)
		opt.played[opt.n_played++] = value;
	else
		return false;
	return true;
}

static bool
option_set(const char *name, const char *value)
{
	for (size_t i = 0; i < N_NUMBERS; i++)
		if (strcmp(name, numbers[i].name) == 0)
			return number_read(value, numbers[i].min, numbers[i].max, numbers[i].at);
	for (size_t i = 0; i < N_TEXTS; i++)
		if (strcmp(name, texts[i].name) == 0) {
			*texts[i].at = value;
			return true;
		}
	return other_option(name, value);
}

static void
options_read(int argc, char **argv)
{
	static struct option options[N_NUMBERS + N_TEXTS + 8] = { { "help", 0, NULL, 0 }, { "port", 1, NULL, 0 }, { "seed", 1, NULL, 0 },
		{ "flood", 0, NULL, 0 }, { "first", 1, NULL, 0 }, { "play", 1, NULL, 0 } };
	size_t n = 6;
	int at, c;

	for (size_t i = 0; i < N_NUMBERS; i++)
		options[n++] = (struct option){ numbers[i].name, 1, NULL, 0 };
	for (size_t i = 0; i < N_TEXTS; i++)
		options[n++] = (struct option){ texts[i].name, 1, NULL, 0 };
	while ((c = getopt_long(argc, argv, "", options, &at)) == 0) {
		if (strcmp(options[at].name, "help") == 0) {
			usage(stdout);
			exit(0);
		}
		if (option_set(options[at].name, optarg))
			continue;
		fprintf(stderr, "campus: --%s %s: out of range, or not understood\n", options[at].name, optarg);
		exit(2);
	}
	if (c != -1 || optind != argc) {
		usage(stderr);
		exit(2);
	}
}

static void
config_credential(FILE *f)
{
	if (opt.v3_user == NULL)
		fprintf(f, "credentials = ( { name = \"campus\"; version = \"2c\"; community = \"%s\"; } );\n", opt.wire.community);
	else
		fprintf(f, "credentials = ( { name = \"campus\"; version = \"3\"; user = \"%s\"; auth = \"%s\"; auth_secret = \"%s\"; priv = \"%s\";"
		    " priv_secret = \"%s\"; context_prefix = \"vlan-\"; } );\n", opt.v3_user, opt.auth, opt.auth_secret, opt.priv, opt.priv_secret);
}

static void
config_write(void)
{
	FILE *f = fopen(opt.config, "w");
	char text[INET_ADDRSTRLEN];

	if (f == NULL) {
		perror(opt.config);
		exit(1);
	}
	fprintf(f, "sites = ( { name = \"hq\"; sensitivity = \"sensitive\"; }, { name = \"depot\"; sensitivity = \"standard\"; } );\n");
	config_credential(f);
	fprintf(f, "switches = (\n");
	for (int i = 0; i < network.n_sw; i++) {
		struct in_addr a = { htonl(network.sw[i].ip) };

		inet_ntop(AF_INET, &a, text, sizeof text);
		fprintf(f, "  { name = \"%s\"; address = \"%s:%d\"; site = \"%s\"; credential = \"campus\"; }%s\n", network.sw[i].name, text, opt.wire.port,
		    i % 2 == 0 ? "hq" : "depot", i + 1 < network.n_sw ? "," : " );");
	}
	fclose(f);
}

static void
recordings_play(void)
{
	for (int i = 0; i < opt.n_played; i++) {
		char name[20];
		const char *path = strchr(opt.played[i], '=') + 1;
		int s;
		size_t bad;

		snprintf(name, sizeof name, "%.*s", (int)(path - 1 - opt.played[i]), opt.played[i]);
		if ((s = switch_named(name)) == NONE || recording_read(path, &network.sw[s].objects, &bad) < 0) {
			fprintf(stderr, "campus: --play %s: %s\n", opt.played[i], s == NONE ? "no such switch" : strerror(errno));
			exit(2);
		}
		network.sw[s].recorded = true;
		printf("%s plays %s: %zu objects, %zu lines not understood\n", name, path, network.sw[s].objects.n, bad);
	}
}

static void
troubles_make(void)
{
	for (int i = 0; i < network.n_sw; i++) {
		network.sw[i].loss = opt.loss;
		network.sw[i].dead = (int)network_draw(100) < opt.dead;
		network.sw[i].booted = network.now - 3600000;
	}
}

static void
now_set(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	network.now = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int
wait_ms(int64_t a, int64_t b)
{
	int64_t ms = a < 0 || (b >= 0 && b < a) ? b : a;

	return ms < 0 || ms > 1000 ? 1000 : (int)ms;
}

static void
serve(int wire, int control)
{
	struct pollfd fds[2] = { { wire, POLLIN, 0 }, { control, POLLIN, 0 } };

	while (!stopped) {
		now_set();
		if (poll(fds, control < 0 ? 1 : 2, wait_ms(network_tick(), wire_tick())) < 0)
			continue;
		now_set();
		network_tick();
		if (fds[0].revents != 0)
			wire_serve();
		if (control >= 0 && fds[1].revents != 0 && control_serve(control))
			stopped = 1;
	}
}

static void
stop_cb(int sig)
{
	(void)sig;
	stopped = 1;
}

int
main(int argc, char **argv)
{
	struct usm_user user;
	int wire, control = -1;

	options_read(argc, argv);
	signal(SIGTERM, stop_cb);
	signal(SIGINT, stop_cb);
	signal(SIGALRM, stop_cb);
	signal(SIGPIPE, SIG_IGN);
	alarm((unsigned)opt.seconds);
	now_set();
	if (opt.v3_user != NULL) {
		if (!usm_user_make(&user, opt.v3_user, opt.auth, opt.auth_secret, opt.priv, opt.priv_secret)) {
			fprintf(stderr, "campus: %s with %s, or an empty passphrase: not possible\n", opt.auth, opt.priv);
			return 2;
		}
		opt.wire.user = &user;
	}
	if (!signals_to(opt.traps, opt.syslog, opt.wire.community)) {
		fprintf(stderr, "campus: --traps and --syslog want a loopback ADDRESS:PORT\n");
		return 2;
	}
	network_make(&opt.net);
	troubles_make();
	recordings_play();
	if (opt.config != NULL)
		config_write();
	wire = wire_open(&opt.wire);
	if (opt.control != NULL)
		control = control_open(opt.control, opt.log);
	printf("ready %d switches\n", network.n_sw);
	fflush(stdout);
	serve(wire, control);
	close(wire);
	if (control >= 0) {
		close(control);
		unlink(opt.control);
	}
	network_free();
	return 0;
}
