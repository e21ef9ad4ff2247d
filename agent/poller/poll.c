/* agent/poller/poll.c: one poll of one switch: find the credential that works, then the steps of poll_steps[] in order. */
#include "poller/poll.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

enum phase { POLL_IDLE, POLL_PROBE, POLL_STEPS, POLL_CLOSE, POLL_PING };
enum { STEPS_LOST_MAX = 2, CREDENTIALS_MAX = 16, SECONDS_CS = 100 };

static const uint32_t sys_descr[] = { 1, 3, 6, 1, 2, 1, 1, 1, 0 }, sys_object_id[] = { 1, 3, 6, 1, 2, 1, 1, 2, 0 },
	sys_uptime[] = { 1, 3, 6, 1, 2, 1, 1, 3, 0 };

struct poll {
	struct snmp			*s;
	const struct conf		*conf;
	const struct conf_switch	*sw;
	poll_done_fn			*done;
	void				*arg;
	enum phase			 phase;
	struct snmp_peer		*peer[CREDENTIALS_MAX];
	size_t				 n, tried, order[CREDENTIALS_MAX], current;
	int				 works;		/* the remembered credential; -1: none yet */
	bool				 denied, partial, has_uptime, rebooted;
	uint32_t			 uptime_cs, seen_uptime_cs;
	struct tables			*tables;
	size_t				 step;
	unsigned			 lost;		/* steps timed out in a row */
	struct mono			 begun;
	struct wall			 started;
	struct snmp_counters		 before;
	char				 error[160];
};

static void step_next(struct poll *p);
static void probe_next(struct poll *p);

struct poll *
poll_new(struct snmp *s, const struct conf *conf, const struct conf_switch *sw, poll_done_fn *done, void *arg)
{
	struct poll *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	*p = (struct poll){ .s = s, .conf = conf, .sw = sw, .done = done, .arg = arg, .works = -1 };
	p->n = sw->credentials.n < CREDENTIALS_MAX ? sw->credentials.n : CREDENTIALS_MAX;
	return p;
}

void
poll_free(struct poll *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n; i++)
		snmp_peer_free(p->peer[i]);
	tables_free(p->tables);
	free(p);
}

bool
poll_running(const struct poll *p)
{
	return p->phase != POLL_IDLE;
}

/* The first cause is the one to tell. */
static void
because(struct poll *p, const char *what, const char *why)
{
	if (p->error[0] == '\0')
		snprintf(p->error, sizeof p->error, "%s: %s", what, why);
}

static struct snmp_peer *
peer_of(struct poll *p, size_t i)
{
	const struct conf_credential *c;
	const char *why = NULL;

	if (p->peer[i] != NULL)
		return p->peer[i];
	if ((c = conf_credential(p->conf, p->sw->credentials.v[i])) == NULL)
		return NULL;
	p->peer[i] = snmp_peer_new(p->s, &p->sw->address, p->sw->reply_from, p->sw->n_reply_from, c, &why);
	if (p->peer[i] == NULL)
		because(p, p->sw->credentials.v[i], why != NULL ? why : "not usable");
	else
		snmp_peer_max_in_flight(p->peer[i], p->sw->max_in_flight);
	return p->peer[i];
}

/* Ends the poll; `done` may start the next. */
static void
poll_end(struct poll *p, enum switch_state state, struct tables *t)
{
	const struct snmp_counters *c = snmp_counters(p->s);
	struct poll_result r = { .tables = t, .state = state, .started = p->started, .finished = wall_now(),
		.requests = (uint32_t)(c->requests - p->before.requests), .timeouts = (uint32_t)(c->timeouts - p->before.timeouts) };

	p->phase = POLL_IDLE;
	p->tables = NULL;
	r.error = p->error[0] != '\0' ? p->error : NULL;
	r.credential = t != NULL && p->works >= 0 ? p->sw->credentials.v[p->works] : NULL;
	p->done(p->arg, &r);
}

static void
uptime_each(void *arg, const struct varbind *v)
{
	struct poll *p = arg;

	if (v->type != VB_TIMETICKS || v->oid_len != nitems(sys_uptime) || memcmp(v->oid, sys_uptime, sizeof sys_uptime) != 0)
		return;
	p->seen_uptime_cs = (uint32_t)v->number;
	if (p->has_uptime && p->seen_uptime_cs < p->uptime_cs && p->uptime_cs < UINT32_MAX - 3600u * SECONDS_CS)
		p->rebooted = true;
	p->has_uptime = true;
}

static void
close_done(void *arg, enum snmp_result r)
{
	struct poll *p = arg;

	(void)r;
	if (p->rebooted) {
		p->error[0] = '\0';
		because(p, "sysUpTime", "went back during the poll: the switch has restarted");
		tables_distrust(p->tables);	/* what is missing may only be not learned again */
	}
	if (tables_join(p->tables) < 0) {
		because(p, "poll", "out of memory");
		p->partial = true;
	}
	poll_end(p, p->partial || p->rebooted ? SWITCH_INCOMPLETE : SWITCH_OK, p->tables);
}

static void
table_each(void *arg, const struct varbind *v)
{
	tables_put(((struct poll *)arg)->tables, v);
}

static void
step_done(void *arg, enum snmp_result r)
{
	struct poll *p = arg;

	tables_step_done(p->tables, p->step, r == SNMP_DONE, r == SNMP_DONE ? NULL : snmp_result_text(r));
	if (r != SNMP_DONE) {
		because(p, poll_steps[p->step].name, snmp_result_text(r));
		p->partial = true;
	}
	p->lost = r == SNMP_TIMED_OUT ? p->lost + 1 : 0;
	p->step++;
	step_next(p);
}

static size_t
oid_of(const char *text, uint32_t *out)
{
	size_t n = 0;

	while (*text != '\0' && n < OID_MAX) {
		char *end;

		out[n++] = (uint32_t)strtoul(text, &end, 10);
		if (end == text)
			return 0;
		text = *end == '.' ? end + 1 : end;
	}
	return n;
}

static void
step_ask(struct poll *p, const struct poll_step *st, int64_t left_ms)
{
	uint32_t oid[8][OID_MAX];
	struct snmp_walk w = { .row_octets = st->row_octets, .max_rows = p->sw->max_rows > 0 ? p->sw->max_rows : 262144,
		.max_ms = (uint32_t)left_ms };

	for (; w.n < nitems(st->columns) && st->columns[w.n] != NULL; w.n++) {
		w.column_lens[w.n] = oid_of(st->columns[w.n], oid[w.n]);
		w.columns[w.n] = oid[w.n];
	}
	if (st->get)
		snmp_get(p->peer[p->current], w.columns, w.column_lens, w.n, table_each, step_done, p);
	else
		snmp_walk(p->peer[p->current], &w, table_each, step_done, p);
}

static void
step_next(struct poll *p)
{
	const uint32_t *oid = sys_uptime;
	size_t n = nitems(sys_uptime);
	int64_t left = (int64_t)p->sw->poll_interval_s * 1000 - mono_since(p->begun, mono_now());

	for (; p->step < poll_n_steps; p->step++) {
		const struct poll_step *st = &poll_steps[p->step];

		if (st->wanted != NULL && !st->wanted(p->tables))
			continue;
		if (p->lost < STEPS_LOST_MAX && left > 0) {
			step_ask(p, st, left);
			return;
		}
		tables_step_done(p->tables, p->step, false, left > 0 ? "not asked: no answer before" : "not asked: no time left");
		because(p, st->name, left > 0 ? "not asked: no answer before" : "not asked: no time left");
		p->partial = true;
	}
	p->phase = POLL_CLOSE;
	if (p->lost >= STEPS_LOST_MAX)
		close_done(p, SNMP_TIMED_OUT);
	else
		snmp_get(p->peer[p->current], &oid, &n, 1, uptime_each, close_done, p);
}

static void
probe_done(void *arg, enum snmp_result r)
{
	struct poll *p = arg;

	if (r != SNMP_DONE) {
		p->denied = p->denied || r == SNMP_DENIED;
		because(p, p->sw->credentials.v[p->current], snmp_result_text(r));
		probe_next(p);
		return;
	}
	p->error[0] = '\0';
	p->works = (int)p->current;
	p->uptime_cs = p->seen_uptime_cs;
	if ((p->tables = tables_new(p->sw->max_rows > 0 ? p->sw->max_rows : 262144)) == NULL) {
		because(p, "poll", "out of memory");
		poll_end(p, SWITCH_UNREACHABLE, NULL);
		return;
	}
	p->phase = POLL_STEPS;
	step_next(p);
}

static void
probe_next(struct poll *p)
{
	const uint32_t *const oids[] = { sys_uptime, sys_object_id, sys_descr };
	const size_t lens[] = { nitems(sys_uptime), nitems(sys_object_id), nitems(sys_descr) };

	while (p->tried < p->n) {
		p->current = p->order[p->tried++];
		if (peer_of(p, p->current) == NULL)
			continue;
		snmp_peer_tries(p->peer[p->current], 3);
		snmp_get(p->peer[p->current], oids, lens, nitems(oids), uptime_each, probe_done, p);
		return;
	}
	poll_end(p, p->denied ? SWITCH_AUTH_FAILED : SWITCH_UNREACHABLE, NULL);
}

static void
begin(struct poll *p, enum phase phase)
{
	size_t n = 0;

	if (p->works >= 0)
		p->order[n++] = (size_t)p->works;
	for (size_t i = 0; i < p->n; i++)
		if ((int)i != p->works)
			p->order[n++] = i;
	p->phase = phase;
	p->denied = p->partial = p->has_uptime = p->rebooted = false;
	p->uptime_cs = p->seen_uptime_cs = 0;
	p->step = p->lost = 0;
	p->error[0] = '\0';
	p->begun = mono_now();
	p->started = wall_now();
	p->before = *snmp_counters(p->s);
}

void
poll_start(struct poll *p)
{
	if (p->phase != POLL_IDLE)
		return;
	begin(p, POLL_PROBE);
	p->tried = 0;
	probe_next(p);
}

static void
ping_done(void *arg, enum snmp_result r)
{
	struct poll *p = arg;

	snmp_peer_tries(p->peer[p->current], 3);
	if (r == SNMP_TIMED_OUT)
		because(p, "ping", snmp_result_text(r));
	poll_end(p, r == SNMP_TIMED_OUT ? SWITCH_UNREACHABLE : SWITCH_OK, NULL);	/* a refusal is an answer, too */
}

/* With the credential that worked; where none ever did, with each in turn. */
void
poll_ping(struct poll *p)
{
	const uint32_t *oid = sys_uptime;
	size_t n = nitems(sys_uptime);

	if (p->phase != POLL_IDLE)
		return;
	begin(p, POLL_PING);
	p->current = p->works >= 0 ? (size_t)p->works : p->n > 0 ? p->tried++ % p->n : 0;
	if (p->n == 0 || peer_of(p, p->current) == NULL) {
		poll_end(p, SWITCH_UNREACHABLE, NULL);
		return;
	}
	snmp_peer_tries(p->peer[p->current], 1);
	snmp_get(p->peer[p->current], &oid, &n, 1, uptime_each, ping_done, p);
}

void
poll_progress(const struct poll *p, unsigned *done, unsigned *all, const char **step)
{
	*all = (unsigned)poll_n_steps;
	*done = p->phase == POLL_STEPS ? (unsigned)p->step : p->phase == POLL_CLOSE ? (unsigned)poll_n_steps : 0;
	*step = p->phase == POLL_STEPS && p->step < poll_n_steps ? poll_steps[p->step].name : p->phase == POLL_PROBE ? "credentials" : "";
}
