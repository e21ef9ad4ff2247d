/* tests/sim/control.c: the commands of the control socket. One line in; "ok TIME …" (microseconds since 1970) or "error …" out. */
#include "campus.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/ip.h"
#include "base/num.h"

#define WORDS_MAX 16

struct words {
	size_t	n;
	char	*w[WORDS_MAX + 1];	/* NULL after the last */
};

static int64_t
wall_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
put_station(const struct campus *c, const struct station *st, struct buf *out)
{
	const struct sw *s = &c->sw[st->sw];
	char mac[MAC_TEXT];

	buf_printf(out, "{\"mac\":\"%s\",\"switch\":\"%s\",\"ifIndex\":%u,\"port\":\"%s\",\"vlan\":%u,\"restricted\":%s,\"learned\":%s}\n",
	    mac_text(st->mac, mac), s->name, IFINDEX_OF(st->bridge_port), s->ports[st->bridge_port - 1].name, st->vlan,
	    st->restricted ? "true" : "false", st->learned ? "true" : "false");
}

static const char *
place_parse(const struct campus *c, const char *sw, const char *port, struct station *st)
{
	if ((st->sw = campus_switch(c, sw)) < 0)
		return "no such switch";
	if ((st->bridge_port = campus_port(&c->sw[st->sw], port)) == 0)
		return "no such port";
	return NULL;
}

static const char *
name_parse(const char *text, char out[static 33])
{
	if (strlen(text) > 32)
		return "maker or model is longer than 32 octets";
	snprintf(out, 33, "%s", text);
	return NULL;
}

/* [vlan N] [lldp MAKER MODEL] [ip A.B.C.D] */
static const char *
options_parse(const struct words *l, struct station *st)
{
	const char *e;

	for (size_t i = 4; i < l->n;) {
		if (strcmp(l->w[i], "vlan") == 0 && l->n - i >= 2) {
			uint64_t v;

			if (num_parse(l->w[i + 1], 1, 4094, &v) < 0)
				return "vlan is not within 1..4094";
			st->vlan = (uint16_t)v;
			i += 2;
		} else if (strcmp(l->w[i], "lldp") == 0 && l->n - i >= 3) {
			st->lldp = true;
			if ((e = name_parse(l->w[i + 1], st->maker)) != NULL || (e = name_parse(l->w[i + 2], st->model)) != NULL)
				return e;
			i += 3;
		} else if (strcmp(l->w[i], "ip") == 0 && l->n - i >= 2) {
			struct ip ip;

			if (ip_parse(l->w[i + 1], &ip) < 0 || ip.family != 4)
				return "ip is not an IPv4 address";
			st->ip = (uint32_t)ip.b[0] << 24 | (uint32_t)ip.b[1] << 16 | (uint32_t)ip.b[2] << 8 | ip.b[3];
			i += 2;
		} else {
			return "after the MAC: [vlan N] [lldp MAKER MODEL] [ip A.B.C.D]";
		}
	}
	return NULL;
}

static const char *
do_plug(struct campus *c, const struct words *l, struct buf *out)
{
	struct station st = { 0 };
	const char *e;

	(void)out;
	if (!mac_parse(l->w[3], &st.mac))
		return "that is no MAC";
	if (campus_station(c, st.mac) != NULL)
		return "that MAC is plugged in already; move it";
	if ((e = place_parse(c, l->w[1], l->w[2], &st)) != NULL || (e = options_parse(l, &st)) != NULL)
		return e;
	return campus_plug(c, &st);
}

static const char *
do_station(struct campus *c, const struct words *l, struct buf *out)
{
	struct station *st, to = { 0 };
	struct mac mac;
	const char *e;

	(void)out;
	if (!mac_parse(l->w[1], &mac))
		return "that is no MAC";
	if ((st = campus_station(c, mac)) == NULL)
		return "that MAC is not plugged in";
	if (strcmp(l->w[0], "move") == 0) {
		if ((e = place_parse(c, l->w[2], l->w[3], &to)) != NULL)
			return e;
		return campus_move(c, st, to.sw, to.bridge_port);
	}
	if (strcmp(l->w[0], "age") == 0)
		campus_age(c, st);
	else
		campus_unplug(c, st);
	return NULL;
}

static const char *
do_dead(struct campus *c, const struct words *l, struct buf *out)
{
	int sw = campus_switch(c, l->w[1]);

	(void)out;
	if (sw < 0)
		return "no such switch";
	c->sw[sw].dead = strcmp(l->w[0], "dead") == 0;
	return NULL;
}

static const char *
do_truth(struct campus *c, const struct words *l, struct buf *out)
{
	(void)l;
	for (size_t i = 0; i < c->nstations; i++)
		if (c->stations[i].used)
			put_station(c, &c->stations[i], out);
	return NULL;
}

static const char *
do_quit(struct campus *c, const struct words *l, struct buf *out)
{
	(void)c, (void)l, (void)out;
	return NULL;
}

/* NULL: done. Otherwise what is wrong, and nothing has changed. */
static const struct command {
	const char	*name;
	size_t		 min, max;		/* words, the name included */
	const char	*(*run)(struct campus *, const struct words *, struct buf *);
	const char	*usage;
} commands[] = {
	{ "plug",	4, WORDS_MAX, do_plug,	"plug SWITCH PORT MAC [vlan N] [lldp MAKER MODEL] [ip A.B.C.D]" },
	{ "unplug",	2, 2, do_station,	"unplug MAC" },
	{ "age",	2, 2, do_station,	"age MAC" },
	{ "move",	4, 4, do_station,	"move MAC SWITCH PORT" },
	{ "dead",	2, 2, do_dead,		"dead SWITCH" },
	{ "alive",	2, 2, do_dead,		"alive SWITCH" },
	{ "truth",	1, 1, do_truth,		"truth" },
	{ "quit",	1, 1, do_quit,		"quit" },
};

bool
control_line(struct campus *c, char *line, struct buf *out)
{
	struct words l = { .n = 0 };
	char *save = NULL;
	const char *e;

	for (char *w = strtok_r(line, " \t\r", &save); w != NULL; w = strtok_r(NULL, " \t\r", &save)) {
		if (l.n == WORDS_MAX) {
			buf_printf(out, "error too many words\n");
			return true;
		}
		l.w[l.n++] = w;
	}
	for (size_t i = 0; l.n > 0 && i < nitems(commands); i++) {
		if (strcmp(commands[i].name, l.w[0]) != 0)
			continue;
		if (l.n < commands[i].min || l.n > commands[i].max)
			buf_printf(out, "error usage: %s\n", commands[i].usage);
		else if ((e = commands[i].run(c, &l, out)) != NULL)
			buf_printf(out, "error %s\n", e);
		else
			buf_printf(out, "ok %" PRId64 "\n", wall_us());
		return commands[i].run != do_quit;
	}
	buf_printf(out, "error no such command; there are plug, unplug, age, move, dead, alive, truth, quit\n");
	return true;
}
