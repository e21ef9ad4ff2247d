/* agent/poller/poll.c: one poll of one switch: find the credential that works, then the steps of poll_steps[] in order. */
#include "poller/poll.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"
#include "base/num.h"
#include "poller/contexts.h"

enum phase { POLL_IDLE, POLL_PROBE, POLL_STEPS, POLL_CLOSE, POLL_PING };
enum { STEPS_LOST_MAX = 2, CREDENTIALS_MAX = 16, SECONDS_CS = 100, MAX_ROWS = 262144, TRIES = 3, STEPS_MAX = 64, STEP_IDS = 24 };
/* So many polls in a row have to miss a credential whose answers nobody can forge, and were told of, before the next one tries one whose
 * answers anybody can: as many as make a switch unreachable (P8), so that the alarm comes first. Who can have questions or answers
 * lost would choose else what we ask with. */
enum { OPEN_AFTER = 3 };
/* Kept back from the budget, so that the last question (has it restarted?) can be asked after any walk: three tries of it, each with a
 * nudge and a repetition. */
enum { CLOSE_REQUESTS = 9, CLOSE_MS_MAX = 3000 };

#define NO_CONTEXTS "no answer; VLAN contexts have to be allowed on the switch (SNMPv3: snmp-server group ... context vlan- match prefix)"

static const uint32_t sys_descr[] = { 1, 3, 6, 1, 2, 1, 1, 1, 0 }, sys_object_id[] = { 1, 3, 6, 1, 2, 1, 1, 2, 0 },
	sys_uptime[] = { 1, 3, 6, 1, 2, 1, 1, 3, 0 };

struct poll {
	struct snmp			*s;
	const struct conf		*conf;
	const struct conf_switch	*sw;
	poll_done_fn			*done;
	void				*arg;
	snmp_varbind_fn			*tap;		/* NULL: nobody listens */
	void				*tap_arg;
	enum phase			 phase;
	struct snmp_peer		*peer[CREDENTIALS_MAX];
	size_t				 n, tried, current;
	uint8_t				 order[CREDENTIALS_MAX];
	int				 works;		/* the remembered credential; -1: none yet */
	bool				 opened;	/* in this poll the open ones are tried, too */
	int				 closed;	/* and of those that are not open to forgery the last that worked; -1: none yet */
	unsigned			 missed;	/* polls in a row in which that did not work */
	size_t				 pings;		/* since the last poll */
	bool				 denied, partial, no_memory;
	bool				 has_uptime, seen_uptime;	/* at the start; in the last answer */
	uint32_t			 uptime_cs, seen_uptime_cs;
	struct mono			 uptime_at;
	struct tables			*tables;
	struct tables_size		 size;		/* of the last one */
	size_t				 step;
	unsigned			 lost;		/* steps timed out in a row */
	struct contexts			 contexts;
	const struct context		*context;	/* being asked; NULL: the default one */
	bool				 context_answered;
	struct vlan_set			*forced_vlans;	/* NULL: the switch says which */
	uint64_t			 seed, expected;	/* of tables_sum(); expected 0: none */
	bool				 same;
	struct mono			 begun;
	struct wall			 started;
	struct snmp_budget		 budget;	/* of the poll, over all peers */
	char				 error[200];
};

static void step_next(struct poll *p);
static void probe_next(struct poll *p);

struct poll *
poll_new(struct snmp *s, const struct conf *conf, const struct conf_switch *sw, poll_done_fn *done, void *arg)
{
	struct poll *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	*p = (struct poll){ .s = s, .conf = conf, .sw = sw, .done = done, .arg = arg, .works = -1, .closed = -1 };
	p->n = sw->credentials.n < CREDENTIALS_MAX ? sw->credentials.n : CREDENTIALS_MAX;
	(void)!getrandom(&p->seed, sizeof p->seed, GRND_NONBLOCK);	/* a known seed is worse, but no failure */
	return p;
}

void
poll_tap(struct poll *p, snmp_varbind_fn *each, void *arg)
{
	p->tap = each;
	p->tap_arg = arg;
}

void
poll_rebind(struct poll *p, const struct conf *conf, const struct conf_switch *sw)
{
	assert(sw->credentials.n == p->sw->credentials.n);
	p->conf = conf;
	p->sw = sw;
	for (size_t i = 0; i < p->n; i++)
		if (p->peer[i] != NULL)
			snmp_peer_rebind(p->peer[i], conf_credential(conf, sw->credentials.v[i]));
}

void
poll_free(struct poll *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n; i++)
		snmp_peer_free(p->peer[i]);
	tables_free(p->tables);
	contexts_free(&p->contexts);
	free(p->forced_vlans);
	free(p);
}

bool
poll_vlans(struct poll *p, const struct vlan_set *vlans)
{
	assert(p->phase == POLL_IDLE);
	free(p->forced_vlans);
	if ((p->forced_vlans = malloc(sizeof *vlans)) == NULL)
		return false;
	*p->forced_vlans = *vlans;
	return true;
}

void
poll_expect(struct poll *p, uint64_t sum)
{
	p->expected = sum;
}

uint16_t
poll_vlan(const struct poll *p)
{
	return p->context != NULL ? p->context->vlan : 0;
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
	if (p->peer[i] == NULL) {
		because(p, p->sw->credentials.v[i], why != NULL ? why : "out of memory");
		p->no_memory = p->no_memory || why == NULL;
	} else {
		snmp_peer_max_in_flight(p->peer[i], p->sw->max_in_flight);
		snmp_peer_budget(p->peer[i], &p->budget);
	}
	return p->peer[i];
}

/* Anybody who sees the question can forge the answer. */
static bool
is_open(const struct poll *p, size_t i)
{
	const struct conf_credential *c = conf_credential(p->conf, p->sw->credentials.v[i]);

	return c == NULL || (conf_weaknesses(c) & (WEAK_VERSION | WEAK_NO_AUTH)) != 0;
}

/* The credential being tried does. The change from and to an open one is told: it is the operator who has to know why. */
static void
credential_works(struct poll *p)
{
	const char *name = p->sw->credentials.v[p->current], *closed = p->closed >= 0 ? p->sw->credentials.v[p->closed] : NULL;

	if (!is_open(p, p->current)) {
		if (p->works >= 0 && closed != NULL && is_open(p, (size_t)p->works))
			log_info("%s: polled with credential %s again", p->sw->name, name);
		p->closed = (int)p->current;
		p->missed = 0;
	} else if (closed != NULL && p->works != (int)p->current)
		log_warnx("%s: credential %s has not worked for %u polls, only %s does, whose answers can be forged: polled with that until %s "
		    "works again", p->sw->name, closed, p->missed, name, closed);
	p->works = (int)p->current;
}

static uint32_t
max_rows(const struct poll *p)
{
	return p->sw->max_rows > 0 ? p->sw->max_rows : MAX_ROWS;
}

/* Ends the poll; `done` may start the next. */
static void
poll_end(struct poll *p, enum switch_state state, struct tables *t)
{
	struct poll_result r = { .tables = t, .same = p->same, .dropped = t == NULL && p->no_memory, .state = state, .started = p->started,
		.finished = wall_now(), .requests = p->budget.requests, .timeouts = p->budget.timeouts };

	assert(p->phase != POLL_IDLE);
	assert((t != NULL) == (state == SWITCH_OK || state == SWITCH_INCOMPLETE) || p->phase == POLL_PING);
	p->phase = POLL_IDLE;
	p->tables = NULL;
	if (t != NULL)
		p->size = tables_size(t);
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
	p->seen_uptime = true;
}

/* sysUpTime went back (not round, after 497 days), or the switch is up for less time than the poll took. One that stands still
 * is only a bad clock. */
static bool
has_restarted(const struct poll *p)
{
	int64_t took_ms = mono_since(p->uptime_at, mono_now());

	if (p->seen_uptime_cs < p->uptime_cs)
		return p->uptime_cs < UINT32_MAX - 3600u * SECONDS_CS;
	return p->seen_uptime_cs != p->uptime_cs && (int64_t)p->seen_uptime_cs * 1000 / SECONDS_CS < took_ms - took_ms / 10 - 1000;
}

static void
close_done(void *arg, enum snmp_result r)
{
	struct poll *p = arg;

	assert(p->tables != NULL);
	if (p->has_uptime && p->seen_uptime && has_restarted(p)) {
		p->error[0] = '\0';
		because(p, "sysUpTime", "went back during the poll: the switch has restarted");
		tables_distrust(p->tables);	/* what is missing may only be not learned again */
		tables_restarted_set(p->tables);
		p->partial = true;
	} else if (p->has_uptime && !p->seen_uptime) {
		because(p, "sysUpTime at the end", snmp_result_text(r));
		tables_distrust(p->tables);	/* a restart cannot be ruled out */
		p->partial = true;
	}
	p->same = !p->partial && p->expected != 0 && tables_sum(p->tables) == p->expected;
	if (!p->same && tables_join(p->tables) < 0) {
		because(p, "poll", "out of memory");
		p->partial = true;
	} else if (!p->same && !p->partial && tables_complete(p->tables) != ROW_ALL) {
		because(p, "tables", "more rows or octets than are kept");
		p->partial = true;
	}
	poll_end(p, p->partial ? SWITCH_INCOMPLETE : SWITCH_OK, p->tables);
}

static void
table_each(void *arg, const struct varbind *v)
{
	struct poll *p = arg;

	if (p->tap != NULL)
		p->tap(p->tap_arg, v);
	tables_put(p->tables, v);
}

/* `why` NULL: well. */
static void
step_ended(struct poll *p, const char *why)
{
	const char *name = poll_steps[p->step].name;
	char text[160];

	if (why != NULL && p->context != NULL) {
		snprintf(text, sizeof text, "VLAN %u: %s", p->context->vlan, why);
		why = text;
	}
	tables_step_done(p->tables, p->step, why == NULL, why);
	if (why != NULL) {
		because(p, name, why);
		p->partial = true;
	}
}

static void
step_done(void *arg, enum snmp_result r)
{
	struct poll *p = arg;
	const char *text = snmp_peer_result_text(p->peer[p->current], r);
	bool lost = r == SNMP_TIMED_OUT || r == SNMP_DENIED;

	if (p->context == NULL) {
		step_ended(p, r == SNMP_DONE ? NULL : text);
		p->lost = r == SNMP_TIMED_OUT ? p->lost + 1 : 0;
	} else {			/* the switch itself did answer: it need not know this context */
		step_ended(p, r == SNMP_DONE ? NULL : lost && !p->contexts.answered ? NO_CONTEXTS : text);
		p->context_answered = p->context_answered && !lost;
	}
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

/* The columns of a step as numbers, which are read from their texts once. */
struct step_columns { uint32_t oid[8][STEP_IDS]; size_t len[8], n; };

static const struct step_columns *
columns_of(size_t step)
{
	static struct step_columns read[STEPS_MAX];
	struct step_columns *c = &read[step];
	const struct poll_step *st = &poll_steps[step];
	uint32_t oid[OID_MAX];

	assert(step < STEPS_MAX);
	for (; c->n < nitems(st->columns) && st->columns[c->n] != NULL; c->n++) {
		c->len[c->n] = oid_of(st->columns[c->n], oid);
		assert(c->len[c->n] <= STEP_IDS);
		memcpy(c->oid[c->n], oid, c->len[c->n] * sizeof *oid);
	}
	return c;
}

/* false: out of memory, not asked. */
static bool
step_ask(struct poll *p, const struct poll_step *st)
{
	const struct step_columns *columns = columns_of(p->step);
	const struct conf_credential *c = conf_credential(p->conf, p->sw->credentials.v[p->current]);
	struct snmp_walk w = { .row_octets = st->row_octets, .max_rows = max_rows(p) };
	char context[40];

	if (p->context != NULL) {
		snprintf(context, sizeof context, "%s%u", c->version != SNMP_V3 ? "@" : c->context_prefix != NULL ? c->context_prefix : "",
		    p->context->vlan);
		w.context = context;
		snmp_peer_tries(p->peer[p->current], p->context->lost ? 1 : TRIES);
	}

	for (; w.n < columns->n; w.n++) {
		w.column_lens[w.n] = columns->len[w.n];
		w.columns[w.n] = columns->oid[w.n];
	}
	if (st->how == POLL_GET)
		return snmp_get(p->peer[p->current], w.columns, w.column_lens, w.n, table_each, step_done, p);
	return snmp_walk(p->peer[p->current], &w, table_each, step_done, p);
}

/* Why the next step need not be tried; NULL: it can be. */
static const char *
step_idle(const struct poll *p)
{
	if (p->lost >= STEPS_LOST_MAX)
		return "not asked: no answer before";
	if (mono_since(p->budget.until, mono_now()) >= 0)
		return "not asked: no time left";
	return p->budget.requests >= p->budget.max_requests ? "not asked: more requests needed than allowed" : NULL;
}

static size_t
first_vlan_step(void)
{
	size_t i = 0;

	while (i < poll_n_steps && poll_steps[i].how != POLL_WALK_VLANS)
		i++;
	return i;
}

/* At the first step that is repeated per VLAN: which VLANs there are to be asked. false: out of memory. */
static bool
vlans_begin(struct poll *p)
{
	struct vlan_set all = { 0 }, access = { 0 };

	if (p->forced_vlans == NULL)
		tables_vlans(p->tables, &all, &access);
	return contexts_begin(&p->contexts, p->forced_vlans != NULL ? p->forced_vlans : &all, &access);
}

/* Ends the contexts; those that are left stay unasked for a reason. */
static bool
vlans_end(struct poll *p, const char *why)
{
	size_t left = p->contexts.n - p->contexts.at;
	char text[128];

	if (why != NULL) {
		tables_vlans_left(p->tables, left > 0 ? p->contexts.v[p->contexts.at].vlan : 0, left, why, text, sizeof text);
		because(p, "VLAN contexts", text);
		p->partial = true;
	}
	p->step = poll_n_steps;
	snmp_peer_tries(p->peer[p->current], TRIES);
	return false;
}

/* On to the context of the next VLAN and the first of its steps; false: to the end of all steps. */
static bool
vlan_next(struct poll *p)
{
	const char *why;

	if (p->context != NULL)
		contexts_result(&p->contexts, p->context_answered);
	else if (!vlans_begin(p))
		return vlans_end(p, "not asked: out of memory");
	p->context = NULL;
	(void)tables_context(p->tables, 0);
	if (p->contexts.at == p->contexts.n)
		return vlans_end(p, NULL);
	if ((why = contexts_mute(&p->contexts) ? "not asked: no answer before" : step_idle(p)) != NULL)
		return vlans_end(p, why);
	if (!tables_context(p->tables, p->contexts.v[p->contexts.at].vlan))
		return vlans_end(p, "not asked: no memory left");
	p->context = contexts_next(&p->contexts);
	p->context_answered = true;
	p->step = first_vlan_step();
	return true;
}

/* The step to be tried next; NULL: all are done. */
static const struct poll_step *
step_of(struct poll *p)
{
	if (p->step < (p->context != NULL ? poll_n_steps : first_vlan_step()) || vlan_next(p))
		return &poll_steps[p->step];
	return NULL;
}

static void
step_next(struct poll *p)
{
	const uint32_t *oid = sys_uptime;
	const struct poll_step *st;
	size_t n = nitems(sys_uptime);

	assert(p->phase == POLL_STEPS && p->tables != NULL);
	for (; (st = step_of(p)) != NULL; p->step++) {
		const char *why;

		if (st->wanted != NULL && !st->wanted(p->tables))
			continue;
		if ((why = step_idle(p)) == NULL) {
			if (step_ask(p, st))
				return;
			why = "not asked: out of memory";
		}
		step_ended(p, why);
	}
	p->phase = POLL_CLOSE;
	p->seen_uptime = false;
	p->budget.max_requests += CLOSE_REQUESTS;
	p->budget.until = mono_add(p->begun, (int64_t)p->sw->poll_interval_s * 1000);
	if (p->lost >= STEPS_LOST_MAX)
		close_done(p, SNMP_TIMED_OUT);
	else if (!snmp_get(p->peer[p->current], &oid, &n, 1, uptime_each, close_done, p))
		close_done(p, SNMP_UNSENT);
}

static void
probe_done(void *arg, enum snmp_result r)
{
	struct poll *p = arg;

	if (r != SNMP_DONE) {
		p->missed += (int)p->current == p->closed && r != SNMP_UNSENT;
		p->denied = p->denied || r == SNMP_DENIED;
		p->no_memory = p->no_memory || r == SNMP_UNSENT;
		because(p, p->sw->credentials.v[p->current], snmp_peer_result_text(p->peer[p->current], r));
		probe_next(p);
		return;
	}
	p->error[0] = '\0';
	credential_works(p);
	snmp_peer_tries(p->peer[p->current], TRIES);
	p->has_uptime = p->seen_uptime;
	p->uptime_cs = p->seen_uptime_cs;
	p->uptime_at = mono_now();
	if ((p->tables = tables_new(max_rows(p))) == NULL) {
		because(p, "poll", "out of memory");
		p->no_memory = true;
		poll_end(p, SWITCH_UNREACHABLE, NULL);
		return;
	}
	tables_seed(p->tables, p->seed);
	tables_expect(p->tables, p->size);
	if (p->forced_vlans != NULL)
		tables_force_vlans(p->tables);
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
		if (p->closed >= 0 && !p->opened && is_open(p, p->current))
			continue;
		if (peer_of(p, p->current) == NULL)
			continue;
		snmp_peer_tries(p->peer[p->current], TRIES);
		if ((int)p->current == p->closed && p->opened) {	/* another works: as a ping asks */
			snmp_peer_tries(p->peer[p->current], 1);
			snmp_peer_forget(p->peer[p->current]);
		}
		if (snmp_get(p->peer[p->current], oids, lens, nitems(oids), uptime_each, probe_done, p))
			return;
		because(p, "poll", "out of memory");
		p->no_memory = true;
	}
	poll_end(p, p->denied ? SWITCH_AUTH_FAILED : SWITCH_UNREACHABLE, NULL);
}

static void
begin(struct poll *p, enum phase phase)
{
	int64_t interval = (int64_t)p->sw->poll_interval_s * 1000;
	size_t n = 0;

	assert(p->phase == POLL_IDLE && p->tables == NULL);
	if (p->closed >= 0)
		p->order[n++] = (uint8_t)p->closed;
	if (p->works >= 0 && p->works != p->closed)
		p->order[n++] = (uint8_t)p->works;
	for (size_t i = 0; i < p->n; i++)
		if ((int)i != p->works && (int)i != p->closed)
			p->order[n++] = (uint8_t)i;
	p->opened = p->missed >= OPEN_AFTER;
	p->phase = phase;
	p->same = p->denied = p->partial = p->has_uptime = p->seen_uptime = p->no_memory = false;
	p->uptime_cs = p->seen_uptime_cs = 0;
	p->step = p->lost = 0;
	p->context = NULL;
	p->error[0] = '\0';
	p->begun = mono_now();
	p->started = wall_now();
	p->budget = (struct snmp_budget){ .max_requests = max_rows(p) / 10 + 200 - CLOSE_REQUESTS,
		.until = mono_add(p->begun, interval - (interval / 10 < CLOSE_MS_MAX ? interval / 10 : CLOSE_MS_MAX)) };
}

void
poll_start(struct poll *p)
{
	if (p->phase != POLL_IDLE)
		return;
	begin(p, POLL_PROBE);
	p->tried = p->pings = 0;
	probe_next(p);
}

static void
ping_done(void *arg, enum snmp_result r)
{
	struct poll *p = arg;

	bool silent = r == SNMP_TIMED_OUT || r == SNMP_LATE;

	p->no_memory = r == SNMP_UNSENT;
	if (silent || p->no_memory)
		because(p, "ping", snmp_result_text(r));
	poll_end(p, silent || p->no_memory ? SWITCH_UNREACHABLE : SWITCH_OK, NULL);	/* a refusal is an answer, too */
}

/* Each second one, from the first, with the credential that worked, and the others in turn between: a switch may come back with
 * another one, and there is one datagram. Where none ever worked, each in turn. */
static size_t
ping_credential(struct poll *p)
{
	size_t n = p->pings++, other;

	assert(p->n > 0);
	if (p->works < 0)
		return n % p->n;
	if (n % 2 == 0 || p->n == 1)
		return (size_t)p->works;
	other = n / 2 % (p->n - 1);
	return other < (size_t)p->works ? other : other + 1;
}

/* A v3 engine is asked for anew: it may be another one by now, and would not understand the one datagram we send. */
void
poll_ping(struct poll *p)
{
	const uint32_t *oid = sys_uptime;
	size_t n = nitems(sys_uptime);

	if (p->phase != POLL_IDLE)
		return;
	begin(p, POLL_PING);
	p->current = p->n > 0 ? ping_credential(p) : 0;
	if (p->n == 0 || peer_of(p, p->current) == NULL) {
		poll_end(p, SWITCH_UNREACHABLE, NULL);
		return;
	}
	snmp_peer_tries(p->peer[p->current], 1);
	snmp_peer_forget(p->peer[p->current]);
	if (!snmp_get(p->peer[p->current], &oid, &n, 1, uptime_each, ping_done, p))
		ping_done(p, SNMP_UNSENT);
}

bool
poll_waiting(const struct poll *p)
{
	return p->phase == POLL_PING || (p->phase == POLL_PROBE && (p->budget.timeouts > 0 || p->budget.hints > 0));
}

bool
poll_unheard(const struct poll *p)
{
	return p->phase == POLL_PROBE;
}

void
poll_progress(const struct poll *p, unsigned *done, unsigned *all, const char **step)
{
	*all = (unsigned)poll_n_steps;
	*done = p->phase == POLL_STEPS ? (unsigned)p->step : p->phase == POLL_CLOSE ? (unsigned)poll_n_steps : 0;
	*step = p->phase == POLL_STEPS && p->step < poll_n_steps ? poll_steps[p->step].name : p->phase == POLL_PROBE ? "credentials" : "";
}
