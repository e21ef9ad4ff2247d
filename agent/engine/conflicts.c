/* agent/engine/conflicts.c: ports where somebody claims to be a polled switch that does not agree (threat-model.md D10): told
 * when they begin, once. What was told is kept, so that a restart does not tell it again. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "base/text.h"
#include "engine/core.h"

#define META "conflicts"
#define MAX 100000
#define KEPT_PER_SWITCH 256		/* a liar's many take nobody's place in the list */
#define PER_SWITCH 16
#define TOLD_PER_CHANGE 1024		/* what is left is told with the next tick */

/* The list is in this order, but for what the open change adds at its end. */
static int
conflict_compare(const void *a, const void *b)
{
	const struct told_conflict *x = a, *y = b;

	return x->key != y->key ? (x->key > y->key) - (x->key < y->key) : (x->if_index > y->if_index) - (x->if_index < y->if_index);
}

static void
conflicts_sort(struct engine *e)
{
	if (e->n_conflicts > 0)
		qsort(e->conflicts, e->n_conflicts, sizeof *e->conflicts, conflict_compare);
}

static bool
is_conflict(const struct port *p)
{
	return p->why == REASON_CONFLICT_NEIGHBOUR || p->why == REASON_CONFLICT_MAC;
}

int
conflicts_save(struct engine *e)
{
	struct buf b = { 0 };
	int rc;

	if (in_memory(e)) {
		e->unsaved.conflicts = true;
		return 0;
	}
	put_u32(&b, (uint32_t)e->n_conflicts);
	for (size_t i = 0; i < e->n_conflicts; i++) {
		put_u64(&b, e->conflicts[i].key);
		put_u32(&b, e->conflicts[i].if_index);
	}
	rc = b.bad ? -ENOMEM : store_meta_put(e->store, META, b.p, b.len);
	buf_free(&b);
	return rc;
}

int
conflicts_load(struct engine *e)
{
	struct buf b = { 0 };
	struct msg_in m;
	uint32_t n;
	int rc = store_meta_get(e->store, META, &b);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	m = msg_in_of(b.p, b.len);
	n = get_u32(&m);
	while (n-- > 0 && !m.bad && e->n_conflicts < MAX) {
		if ((rc = array_grow((void **)&e->conflicts, e->n_conflicts, &e->cap_conflicts, sizeof *e->conflicts)) < 0)
			break;
		e->conflicts[e->n_conflicts] = (struct told_conflict){ .key = get_u64(&m) };
		e->conflicts[e->n_conflicts++].if_index = get_u32(&m);
	}
	conflicts_sort(e);
	if (m.bad)
		log_warnx("the list of told conflicts is damaged; some may be told again");
	buf_free(&b);
	return rc;
}

/* One pass over all ports: what it finds, and what becomes of it. */
struct pass {
	struct engine	*e;
	struct moment	 now;
	size_t		 known;			/* of the list: what earlier passes knew */
	size_t		 told, untold, left;	/* left: past what is kept */
	bool		 begun, again;		/* begun: there is an open change; again: some are left for the next tick */
	int		 rc;
};

/* Those of one switch that are told, and who makes each claim: the one station of its port, if it is alone there. */
struct to_tell { const struct port *port[PER_SWITCH]; struct mac mac[PER_SWITCH]; size_t n; };

static void
stations_find(const struct sw *sw, struct to_tell *t)
{
	bool any = false;

	for (size_t i = 0; i < t->n; i++)
		any |= t->port[i]->stations == 1;
	for (size_t at = 0; any && at < sw->table.fdb.n; at++) {
		const struct row_fdb f = fdb_row(&sw->table.fdb, at);
		uint32_t if_index = sw_folded(sw, f.if_index);

		for (size_t i = 0; i < t->n; i++)
			if (t->port[i]->if_index == if_index && t->port[i]->stations == 1 && mac_is_zero(t->mac[i]))
				t->mac[i] = f.mac;
	}
}

static void
event_of_conflict(const struct engine *e, const struct sw *sw, const struct port *p, struct mac mac, struct event *ev)
{
	const char *whom = p->towards != NULL ? p->towards->name : "a polled switch";

	event_of_switch(e, sw, EVENT_CONFLICT, ev);
	ev->if_index = p->if_index;
	text_cut(ev->port, sizeof ev->port, p->name);
	text_cut(ev->alias, sizeof ev->alias, port_alias(p));
	ev->mac = mac;
	ev->verdict = VERDICT_ACCESS;
	text_cut(ev->reason, sizeof ev->reason, reason_word(p->why));
	text_printf(ev->evidence, sizeof ev->evidence, "conflict: a device there %s %s, which does not agree",
	    p->why == REASON_CONFLICT_MAC ? "uses an address of" : "says by LLDP or CDP that it is", whom);
	text_printf(ev->text, sizeof ev->text, "%s %s: a device claims to be %s, which does not agree", sw->name, p->name, whom);
}

/* In the list from now on. */
static void
conflict_add(struct pass *pass, const struct sw *sw, const struct port *p)
{
	struct engine *e = pass->e;

	if (!pass->begun)
		pass->rc = change_begin(e);
	pass->begun = true;
	if (pass->rc == 0)
		pass->rc = array_grow((void **)&e->conflicts, e->n_conflicts, &e->cap_conflicts, sizeof *e->conflicts);
	if (pass->rc == 0)
		e->conflicts[e->n_conflicts++] = (struct told_conflict){ sw->key, p->if_index, true };
}

/* The place in the list of the first one of a switch that earlier passes knew. */
static size_t
known_from(const struct pass *pass, uint64_t key)
{
	size_t from = 0, until = pass->known;

	while (from < until) {
		size_t mid = from + (until - from) / 2;

		if (pass->e->conflicts[mid].key < key)
			from = mid + 1;
		else
			until = mid;
	}
	return from;
}

/* The new ones of a switch: the first few are told, a liar's many are counted. Ports and list are in the same order. */
static void
conflicts_of_switch(struct pass *pass, const struct sw *sw)
{
	struct engine *e = pass->e;
	struct to_tell t = { .n = 0 };
	bool later = pass->told >= TOLD_PER_CHANGE;
	size_t at = known_from(pass, sw->key), kept = 0;
	struct event ev;

	for (size_t i = at; i < pass->known && e->conflicts[i].key == sw->key; i++)
		kept++;
	for (size_t k = 0; k < sw->n_ports && pass->rc == 0; k++) {
		const struct port *p = &sw->ports[k];

		if (!is_conflict(p) || (k > 0 && sw->ports[k - 1].if_index == p->if_index))
			continue;
		while (at < pass->known && e->conflicts[at].key == sw->key && e->conflicts[at].if_index < p->if_index)
			at++;
		if (at < pass->known && e->conflicts[at].key == sw->key && e->conflicts[at].if_index == p->if_index)
			continue;
		if (kept >= KEPT_PER_SWITCH || e->n_conflicts >= MAX) {
			pass->left++;
			continue;
		}
		if (!later)
			conflict_add(pass, sw, p);
		if (!later && kept < PER_SWITCH)
			t.port[t.n++] = p;
		else if (!later)
			pass->untold++;
		pass->again |= later;
		kept++;
	}
	stations_find(sw, &t);
	for (size_t i = 0; i < t.n && pass->rc == 0; i++, pass->told++) {
		event_of_conflict(e, sw, t.port[i], t.mac[i], &ev);
		pass->rc = change_event(e, &ev, NULL, pass->now);
	}
}

/* Each is counted when it is seen first, be it in the list or past its end. */
static void
untold_count(struct engine *e, const struct pass *pass)
{
	size_t before = e->conflicts_left;

	if (pass->untold + pass->left > before)
		e->counters[CNT_CONFLICTS_UNTOLD] += pass->untold + pass->left - before;
	e->conflicts_left = pass->left;
}

/* All new ones with the list that says they were told, in one change. -EAGAIN of change_end(). */
static int
conflicts_add(struct engine *e, struct moment now)
{
	struct pass pass = { .e = e, .now = now, .known = e->n_conflicts };
	int rc;

	for (size_t i = 0; i < e->net.n_switches && pass.rc == 0; i++)
		conflicts_of_switch(&pass, e->net.switches[i]);
	if ((rc = pass.rc) == 0 && pass.begun)
		rc = conflicts_save(e);
	if (pass.begun && (rc = change_end(e, rc, event_word(EVENT_CONFLICT), now)) < 0) {
		e->n_conflicts = pass.known;
		e->conflicts_owed = rc != -EAGAIN;
		return rc;
	}
	conflicts_sort(e);
	untold_count(e, &pass);
	e->conflicts_owed = pass.again;
	return 0;
}

/* Those that ended may be told again when they come back. Written by itself: when that fails, the next end writes it, too. */
static void
conflicts_forget(struct engine *e, struct moment now)
{
	size_t kept = 0, before = e->n_conflicts;
	int rc;

	for (size_t i = 0; i < before; i++) {
		const struct sw *sw = net_switch(&e->net, e->conflicts[i].key);

		/* A switch that was not read in this run says nothing yet. */
		if (e->conflicts[i].still || (sw != NULL && sw->complete_polls == 0))
			e->conflicts[kept++] = e->conflicts[i];
	}
	e->n_conflicts = kept;
	if (kept == before)
		return;
	do {
		if ((rc = change_begin(e)) == 0)
			rc = conflicts_save(e);
	} while (change_end(e, rc, "the list of conflicts", now) == -EAGAIN);
}

void
conflicts_tell(struct engine *e, struct moment now)
{
	e->conflicts_owed = false;
	for (size_t i = 0; i < e->n_conflicts; i++) {
		const struct sw *sw = net_switch(&e->net, e->conflicts[i].key);
		const struct port *p = sw != NULL ? sw_port(sw, e->conflicts[i].if_index) : NULL;

		/* After a restart it is in doubt until both ends were read again. */
		e->conflicts[i].still = p != NULL && (p->doubted || is_conflict(p));
	}
	while (conflicts_add(e, now) == -EAGAIN)
		continue;
	conflicts_forget(e, now);
}
