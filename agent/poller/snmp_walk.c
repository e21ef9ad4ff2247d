/* agent/poller/snmp_walk.c: walks columns of a table side by side, and ends whatever the agent does (threat-model.md P1, P7). */
#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "poller/snmp_inner.h"

enum { VARBINDS_MAX = 40, VARBINDS_MIN = 1, COLUMNS = 8, REPLY_OCTETS = 1400, HEAD_OCTETS = 120 };

struct column {
	uint32_t	rows;
	bool		ended, broken, retry, retried;
};

struct walk {
	struct ask	ask;		/* first */
	struct column	col[COLUMNS];
	size_t		n, asked[COLUMNS], row_octets;
	uint32_t	max_rows;
	bool		next_only, single, full;
	bool		unsure;		/* a context that has not answered yet: it may not exist */
	/* What follows is not zeroed. */
	struct message_oid prefix[COLUMNS], cursor[COLUMNS], question[COLUMNS];
};

static void
walk_fill(struct walk *w)
{
	struct peer_habits *h = ask_habits(&w->ask);
	size_t fit = (REPLY_OCTETS - HEAD_OCTETS) / (w->row_octets > 0 ? w->row_octets : 40), limit = h->varbinds, one = COLUMNS;

	for (size_t i = 0; i < w->n && one == COLUMNS; i++)
		if (!w->col[i].ended && w->col[i].retry)
			one = i;
	w->ask.n = 0;
	for (size_t i = 0; i < w->n; i++) {
		if (w->col[i].ended || (one < COLUMNS && i != one) || (w->single && w->ask.n == 1))
			continue;
		w->asked[w->ask.n] = i;
		oid_set(&w->ask.oids[w->ask.n++], w->cursor[i].v, w->cursor[i].n);
	}
	if (fit < limit)
		limit = fit;
	w->ask.repetitions = w->ask.n > 0 && limit > w->ask.n ? (long)(limit / w->ask.n) : 1;
	w->ask.command = ask_version(&w->ask) == SNMP_V1 || h->no_bulk || w->next_only || one < COLUMNS ? ASK_NEXT : ASK_BULK;
}

static void
habits_halve(struct peer_habits *h)
{
	h->varbinds = h->varbinds / 2 < VARBINDS_MIN ? VARBINDS_MIN : h->varbinds / 2;
	h->good = 0;
}

static void
habits_good(struct peer_habits *h)
{
	h->bulk_works = true;
	if (++h->good < 8 || h->varbinds >= VARBINDS_MAX || h->varbinds_cut)
		return;
	h->good = 0;
	h->varbinds = h->varbinds + 5 > VARBINDS_MAX ? VARBINDS_MAX : h->varbinds + 5;
}

/* Before another try at the same place: once may be bad luck, twice is taken as too much asked. */
static void
walk_lost_one(struct ask *a)
{
	struct walk *w = (struct walk *)a;

	if (a->command != ASK_BULK || a->timeouts < 2 || w->unsure)
		return;
	habits_halve(ask_habits(a));
	if (!ask_habits(a)->bulk_works)
		w->next_only = true;
	walk_fill(w);
}

static int
oid_compare(const struct varbind *a, const struct message_oid *b)
{
	for (size_t i = 0; i < a->oid_len && i < b->n; i++)
		if (a->oid[i] != b->v[i])
			return a->oid[i] < b->v[i] ? -1 : 1;
	return (a->oid_len > b->n) - (a->oid_len < b->n);
}

static void
column_end(struct column *c, bool broken)
{
	c->ended = true;
	c->broken = c->broken || broken;
}

/* One varbind in the place of a column. */
static void
column_take(struct walk *w, size_t i, const struct varbind *v)
{
	struct column *c = &w->col[i];

	if (v->type == 0xff) {
		ask_misbehaved(&w->ask);
		column_end(c, true);
		return;
	}
	if (v->type == VB_END_OF_MIB || v->type == VB_NO_OBJECT || v->type == VB_NO_INSTANCE) {
		column_end(c, false);
		return;
	}
	/* Before the end of the column is looked for: what lies in front of it does not end it (P1). */
	if (oid_compare(v, &w->cursor[i]) <= 0) {
		ask_misbehaved(&w->ask);
		if (c->retried || w->ask.command == ASK_NEXT)
			column_end(c, true);
		else
			c->retry = c->retried = true;
		return;
	}
	c->retry = false;
	if (v->oid_len <= w->prefix[i].n || memcmp(v->oid, w->prefix[i].v, w->prefix[i].n * sizeof *v->oid) != 0) {
		column_end(c, false);
		return;
	}
	if (c->rows == w->max_rows) {
		w->full = true;
		return;
	}
	oid_set(&w->cursor[i], v->oid, v->oid_len);
	c->rows++;
	w->ask.each(w->ask.arg, v);
}

/* false: nothing came. */
static bool
walk_take(struct walk *w)
{
	struct message_reader r;
	struct varbind v;
	size_t i = 0;

	assert(w->ask.n > 0);
	ask_read(&w->ask, &r);
	for (; !w->full && message_next(&r, &v); i++) {
		struct column *c = &w->col[w->asked[i % w->ask.n]];

		if (w->ask.command == ASK_NEXT && i >= w->ask.n)
			break;
		if (!c->ended && (!c->retry || w->ask.command == ASK_NEXT))
			column_take(w, w->asked[i % w->ask.n], &v);
	}
	return i > 0;
}

/* An error status: a smaller question, or the column that cannot be read is left out. */
static void
walk_error(struct walk *w)
{
	struct ask *a = &w->ask;
	struct peer_habits *h = ask_habits(a);

	if (a->errstat == ERR_TOOBIG && a->command == ASK_BULK && a->repetitions > 1) {
		h->varbinds_cut = true;
		habits_halve(h);
	} else if (a->command == ASK_BULK)
		w->next_only = true;
	else if (a->errstat != ERR_TOOBIG && a->errindex >= 1 && (size_t)a->errindex <= a->n)
		column_end(&w->col[w->asked[a->errindex - 1]], a->errstat != ERR_NOSUCHNAME);
	else if (a->n > 1)
		w->single = true;
	else
		column_end(&w->col[w->asked[0]], a->errstat != ERR_NOSUCHNAME);
}

static void
walk_answered(struct ask *a)
{
	struct walk *w = (struct walk *)a;
	bool broken = false;

	if (a->outcome != ASK_ANSWERED) {
		ask_end(a, ask_result(a));
		return;
	}
	w->unsure = false;
	if (a->errstat != 0)
		walk_error(w);
	else if (!walk_take(w)) {
		ask_misbehaved(a);
		if (a->command != ASK_BULK) {	/* an empty answer, even to the smallest question */
			ask_end(a, SNMP_BROKEN);
			return;
		}
		w->next_only = true;
	} else if (a->command == ASK_BULK)
		habits_good(ask_habits(a));
	else if (w->next_only && !ask_habits(a)->bulk_works)
		ask_habits(a)->no_bulk = true;	/* GETNEXT works where GETBULK never did */
	walk_fill(w);
	if (w->full)
		ask_end(a, SNMP_TOO_MANY);
	else if (a->n == 0) {
		for (size_t i = 0; i < w->n; i++)
			broken = broken || w->col[i].broken;
		ask_end(a, broken ? SNMP_BROKEN : SNMP_DONE);
	} else
		ask_again(a);
}

static void
walk_drop(struct ask *a)
{
	free(a);
}

bool
snmp_walk(struct snmp_peer *p, const struct snmp_walk *spec, snmp_varbind_fn *each, snmp_done_fn *done, void *arg)
{
	struct walk *w = malloc(sizeof *w);

	assert(spec->n > 0 && spec->n <= COLUMNS);
	if (w == NULL)
		return false;
	memset(w, 0, offsetof(struct walk, prefix));
	w->ask.oids = w->question;
	w->ask.drop = walk_drop;
	if (!ask_init(&w->ask, p) || !ask_context(&w->ask, spec->context)) {
		ask_discard(&w->ask);
		return false;
	}
	w->ask.answered = walk_answered;
	w->ask.lost_one = walk_lost_one;
	w->ask.each = each;
	w->ask.done = done;
	w->ask.arg = arg;
	w->row_octets = spec->row_octets;
	w->max_rows = spec->max_rows;
	w->unsure = spec->context != NULL;
	for (; w->n < spec->n && w->n < COLUMNS; w->n++) {
		oid_set(&w->prefix[w->n], spec->columns[w->n], spec->column_lens[w->n]);
		oid_set(&w->cursor[w->n], spec->columns[w->n], spec->column_lens[w->n]);
	}
	walk_fill(w);
	ask_start(&w->ask);
	return true;
}
