/* tests/sim/control.c: see control.h. Each command is a row of commands[]. */
#include "control.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ber.h"
#include "network.h"
#include "number.h"
#include "signals.h"
#include "wire.h"

enum { WORDS_MAX = 24 };

static FILE *action_log;
static bool quit;

static bool
mac_read(const char *text, uint64_t *mac)
{
	int digits = 0;

	for (*mac = 0; *text != '\0'; text++) {
		if (*text == ':')
			continue;
		if (!isxdigit((unsigned char)*text) || ++digits > 12)
			return false;
		*mac = *mac << 4 | (uint64_t)(isdigit((unsigned char)*text) ? *text - '0' : tolower((unsigned char)*text) - 'a' + 10);
	}
	return digits == 12;
}

static const char *
mac_text(uint64_t mac, char out[static 18])
{
	snprintf(out, 18, "%02x:%02x:%02x:%02x:%02x:%02x", (unsigned)(mac >> 40 & 255), (unsigned)(mac >> 32 & 255),
	    (unsigned)(mac >> 24 & 255), (unsigned)(mac >> 16 & 255), (unsigned)(mac >> 8 & 255), (unsigned)(mac & 255));
	return out;
}

static bool
port_read(const char *sw, const char *port, int *s, int *p)
{
	*s = switch_named(sw);
	return *s != NONE && number_read(port, 1, network.sw[*s].ports, p);
}

static int64_t
ms_of(const char *seconds)
{
	return (int64_t)(strtod(seconds, NULL) * 1000);
}

/* ---- stations */

/* Whoever is the first or was the last on a port changes its link. */
static void
link_of(int s, int port, bool was)
{
	bool is = port_is_up(s, port);

	if (is != was)
		signals_link(s, port, is);
}

/* What follows the address: returns the words taken, 0: unknown. */
static int
option_read(struct station *t, int n, char **w)
{
	struct in_addr a;

	if (n >= 2 && strcmp(w[0], "vlan") == 0)
		return number_read(w[1], 1, 4094, &t->vlan) ? 2 : 0;
	if (n >= 3 && strcmp(w[0], "lldp") == 0) {
		station_said(t, w[1], w[2]);
		return 3;
	}
	if (n >= 2 && strcmp(w[0], "claims") == 0)
		return (t->claims = switch_named(w[1])) != NONE ? 2 : 0;
	if (n >= 2 && strcmp(w[0], "learn") == 0) {
		station_silence(t, ms_of(w[1]));
		return 2;
	}
	if (n >= 2 && strcmp(w[0], "ip") == 0 && inet_pton(AF_INET, w[1], &a) == 1) {
		t->ip = ntohl(a.s_addr);
		return 2;
	}
	return 0;
}

static const char *
options_read(struct station *t, int n, char **w)
{
	while (n > 0) {
		int taken = option_read(t, n, w);

		if (taken == 0)
			return "error unknown word";
		n -= taken;
		w += taken;
	}
	station_changed(t);
	return "ok";
}

static const char *
do_plug(int n, char **w, FILE *out)
{
	struct station *t;
	uint64_t mac;
	int s, port;
	bool was;

	(void)out;
	if (!port_read(w[1], w[2], &s, &port) || !mac_read(w[3], &mac))
		return "error no such switch, port or address";
	was = port_is_up(s, port);
	if ((t = station_add(mac, s, port, VLAN_CAMERAS)) == NULL)
		return "error this address is plugged in already";
	link_of(s, port, was);
	return options_read(t, n - 4, w + 4);
}

static struct station *
station_named(const char *text)
{
	uint64_t mac;

	return mac_read(text, &mac) ? station_find(mac) : NULL;
}

static const char *
do_unplug(int n, char **w, FILE *out)
{
	struct station *t = station_named(w[1]);
	int s, port;

	(void)n, (void)out;
	if (t == NULL)
		return "error no such station";
	s = t->sw;
	port = t->port;
	station_remove(t);
	link_of(s, port, true);
	return "ok";
}

static const char *
do_move(int n, char **w, FILE *out)
{
	struct station *t = station_named(w[1]);
	int s, port, old, old_port;
	bool was;

	(void)out;
	if (t == NULL || !port_read(w[2], w[3], &s, &port))
		return "error no such station, switch or port";
	old = t->sw;
	old_port = t->port;
	was = port_is_up(s, port);
	station_move(t, s, port);
	link_of(old, old_port, true);
	link_of(s, port, was);
	return options_read(t, n - 4, w + 4);
}

/* The link goes down and up again; the address is gone from the tables until the device speaks. */
static const char *
do_flap(int n, char **w, FILE *out)
{
	struct station *t = station_named(w[1]);

	(void)out;
	if (t == NULL)
		return "error no such station";
	station_silence(t, n > 2 ? ms_of(w[2]) : 1000);
	signals_link(t->sw, t->port, false);
	signals_link(t->sw, t->port, true);
	return "ok";
}

/* ---- switches */

/* Each switch that a name means: "all" is every one. */
#define EACH_NAMED(s, name) \
	for (int s = strcmp(name, "all") == 0 ? 0 : switch_named(name); s != NONE && s < network.n_sw; s = strcmp(name, "all") == 0 ? s + 1 : NONE)

static const char *
do_dead(int n, char **w, FILE *out)
{
	bool dead = strcmp(w[0], "dead") == 0 || strcmp(w[0], "kill") == 0;
	const char *said = "error no such switch";

	(void)n, (void)out;
	EACH_NAMED(s, w[1]) {
		network.sw[s].dead = dead;
		said = "ok";
	}
	return said;
}

/* The same ports under other numbers: each has that of its neighbour before. */
static const char *
do_reboot(int n, char **w, FILE *out)
{
	int s = switch_named(w[1]);

	(void)out;
	if (s == NONE)
		return "error no such switch";
	network.sw[s].if_base = IF_BASE + (network.sw[s].if_base - IF_BASE + 1) % 50;
	network.sw[s].booted = network.now;
	network.sw[s].back = network.now + (n > 2 ? ms_of(w[2]) : 0);
	network.sw[s].engine.boots++;
	network.sw[s].stale = true;
	return "ok";
}

static const char *
do_trouble(int n, char **w, FILE *out)
{
	const char *said = "error no such switch";
	int v;

	(void)n, (void)out;
	if (!number_read(w[2], 0, w[0][0] == 'l' ? 100 : 100000, &v))
		return "error not a number, or too large";
	EACH_NAMED(s, w[1]) {
		*(w[0][0] == 'l' ? &network.sw[s].loss : w[0][0] == 'd' ? &network.sw[s].delay : &network.sw[s].truncate) = v;
		said = "ok";
	}
	return said;
}

static const char *
do_mute(int n, char **w, FILE *out)
{
	const char *said = "error no such switch";

	(void)n, (void)out;
	EACH_NAMED(s, w[1]) {
		network.sw[s].n_mute = strcmp(w[2], "-") == 0 ? 0 : ber_oid_text(w[2], network.sw[s].mute, sizeof network.sw[s].mute);
		said = "ok";
	}
	return said;
}

/* ---- the truth */

static const char *
do_truth(int n, char **w, FILE *out)
{
	int only = n > 1 ? switch_named(w[1]) : NONE;

	for (int i = 0; i < network.n_station; i++) {
		const struct station *t = &network.station[i];
		char mac[18], name[PORT_NAME];

		if (t->mac == 0 || (only != NONE && t->sw != only))
			continue;
		fprintf(out, "{\"mac\":\"%s\",\"switch\":\"%s\",\"ifIndex\":%d,\"port\":\"%s\",\"vlan\":%d,\"restricted\":%s}\n",
		    mac_text(t->mac, mac), network.sw[t->sw].name, if_index(t->sw, t->port), port_name(t->sw, t->port, name), t->vlan,
		    station_restricted(t) ? "true" : "false");
	}
	return "ok";
}

static const char *
do_links(int n, char **w, FILE *out)
{
	(void)n, (void)w;
	for (int i = 0; i < network.n_sw; i++) {
		const struct sw *s = &network.sw[i];
		char here[PORT_NAME], there[PORT_NAME];

		if (s->parent == NONE)
			continue;
		fprintf(out, "{\"switch\":\"%s\",\"port\":\"%s\",\"towards\":\"%s\",\"towardsPort\":\"%s\",\"lag\":%s,\"protocol\":\"%s\"}\n", s->name,
		    port_name(i, bridge_port(i, uplink_port(i)), here), network.sw[s->parent].name,
		    port_name(s->parent, bridge_port(s->parent, s->parent_port), there), s->lag ? "true" : "false",
		    s->speech == SPEAKS_CDP ? "cdp" : "lldp");
	}
	return "ok";
}

static const char *
do_switches(int n, char **w, FILE *out)
{
	(void)n, (void)w;
	for (int i = 0; i < network.n_sw; i++)
		fprintf(out, "{\"name\":\"%s\",\"access\":%s,\"ports\":%d,\"dead\":%s}\n", network.sw[i].name, switch_is_access(i) ? "true" : "false",
		    network.sw[i].ports, network.sw[i].dead ? "true" : "false");
	return "ok";
}

static const char *
do_counters(int n, char **w, FILE *out)
{
	const struct agent_counters *c = &wire_counters;

	fprintf(out, "{\"requests\":%" PRIu64 ",\"varbindsAsked\":%" PRIu64 ",\"answers\":%" PRIu64 ",\"varbinds\":%" PRIu64 ",\"reports\":%" PRIu64
	    ",\"refused\":%" PRIu64 "}\n", c->requests, c->varbinds_asked, c->answers, c->varbinds, c->reports, c->refused);
	if (n > 1 && strcmp(w[1], "reset") == 0)
		wire_counters = (struct agent_counters){ 0 };
	return "ok";
}

static const char *
do_quit(int n, char **w, FILE *out)
{
	(void)n, (void)w, (void)out;
	quit = true;
	return "ok";
}

static const struct command {
	const char	*name;
	int		 words;			/* at least */
	const char	*usage;
	const char	*(*run)(int n, char **w, FILE *out);
} commands[] = {
	{ "plug",	4, "plug SWITCH PORT MAC [vlan N] [lldp MAKER MODEL] [ip ADDRESS] [claims SWITCH] [learn SECONDS]", do_plug },
	{ "unplug",	2, "unplug MAC", do_unplug },
	{ "move",	4, "move MAC SWITCH PORT [vlan N …]", do_move },
	{ "flap",	2, "flap MAC [SECONDS]", do_flap },
	{ "dead",	2, "dead SWITCH|all", do_dead },
	{ "alive",	2, "alive SWITCH|all", do_dead },
	{ "kill",	2, "kill SWITCH|all", do_dead },
	{ "revive",	2, "revive SWITCH|all", do_dead },
	{ "reboot",	2, "reboot SWITCH [SECONDS]", do_reboot },
	{ "loss",	3, "loss SWITCH|all PERCENT", do_trouble },
	{ "delay",	3, "delay SWITCH|all MILLISECONDS", do_trouble },
	{ "truncate",	3, "truncate SWITCH|all OCTETS", do_trouble },
	{ "mute",	3, "mute SWITCH|all OID|-", do_mute },
	{ "truth",	1, "truth [SWITCH]", do_truth },
	{ "links",	1, "links", do_links },
	{ "switches",	1, "switches", do_switches },
	{ "counters",	1, "counters [reset]", do_counters },
	{ "quit",	1, "quit", do_quit },
};

static const char *
do_command(int n, char **w, FILE *out)
{
	static char usage[256];

	for (size_t i = 0; n > 0 && i < sizeof commands / sizeof *commands; i++) {
		if (strcmp(w[0], commands[i].name) != 0)
			continue;
		if (n >= commands[i].words)
			return commands[i].run(n, w, out);
		snprintf(usage, sizeof usage, "error usage: %s", commands[i].usage);
		return usage;
	}
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		fprintf(out, "%s\n", commands[i].usage);
	return "error unknown command";
}

static void
line_serve(char *line, FILE *io)
{
	char *words[WORDS_MAX], *save = NULL;
	struct timespec now;
	const char *said;
	int n = 0;

	clock_gettime(CLOCK_REALTIME, &now);
	if (action_log != NULL)
		fprintf(action_log, "%lld%06ld %s", (long long)now.tv_sec, now.tv_nsec / 1000, line);
	for (char *w = strtok_r(line, " \r\n", &save); w != NULL && n < WORDS_MAX; w = strtok_r(NULL, " \r\n", &save))
		words[n++] = w;
	said = do_command(n, words, io);
	clock_gettime(CLOCK_REALTIME, &now);
	fprintf(io, "%s %lld%06ld\n", said, (long long)now.tv_sec, now.tv_nsec / 1000);
}

bool
control_serve(int listener)
{
	int fd = accept(listener, NULL, NULL);
	struct timeval limit = { 2, 0 };
	char line[512];
	FILE *io;

	if (fd < 0)
		return quit;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	if ((io = fdopen(fd, "r+")) == NULL) {
		close(fd);
		return quit;
	}
	if (fgets(line, sizeof line, io) != NULL) {
		rewind(io);
		line_serve(line, io);
	}
	fclose(io);
	return quit;
}

int
control_open(const char *path, const char *log)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
	unlink(path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 16) < 0) {
		perror(path);
		exit(1);
	}
	if (log != NULL && (action_log = fopen(log, "w")) != NULL)
		setvbuf(action_log, NULL, _IOLBF, 0);
	return fd;
}
