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
#define PER_SWITCH 16

static const struct told_conflict *
conflict_of(const struct engine *e, const struct sw *sw, const struct port *p)
{
	for (size_t i = 0; i < e->n_conflicts; i++) {
		const struct told_conflict *c = &e->conflicts[i];

		if (c->key == sw->key && c->if_index == p->if_index)
			return c;
	}
	return NULL;
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
	if (m.bad)
		log_warnx("the list of told conflicts is damaged; some may be told again");
	buf_free(&b);
	return rc;
}

/* The one station of a port, if it is alone there: who makes the claim. */
static struct mac
only_station(const struct sw *sw, const struct port *p)
{
	struct row_ref ref;
	struct row r;

	for (size_t at = 0; p->stations == 1 && rowset_next(&sw->table, &at, &ref);)
		if (ref.p[0] == ROW_FDB && row_unpack(ref.p, ref.n, &r) == 0 && sw_folded(sw, r.fdb.if_index) == p->if_index)
			return r.fdb.mac;
	return (struct mac){ { 0 } };
}

static void
event_of_conflict(const struct engine *e, const struct sw *sw, const struct port *p, struct event *ev)
{
	const char *whom = p->towards != NULL ? p->towards->name : "a polled switch";

	event_of_switch(e, sw, EVENT_CONFLICT, ev);
	ev->if_index = p->if_index;
	text_cut(ev->port, sizeof ev->port, p->name);
	text_cut(ev->alias, sizeof ev->alias, p->alias);
	ev->mac = only_station(sw, p);
	ev->verdict = VERDICT_ACCESS;
	text_cut(ev->reason, sizeof ev->reason, reason_word(p->why));
	text_printf(ev->evidence, sizeof ev->evidence, "conflict: a device there %s %s, which does not agree",
	    p->why == REASON_CONFLICT_MAC ? "uses an address of" : "says by LLDP or CDP that it is", whom);
	text_printf(ev->text, sizeof ev->text, "%s %s: a device claims to be %s, which does not agree", sw->name, p->name, whom);
}

/* A new one in the open change; the first few of a switch are told, a liar's many are counted. */
static int
conflict_add(struct engine *e, const struct sw *sw, const struct port *p, struct moment now)
{
	size_t of_switch = 0;
	struct event ev;
	int rc;

	for (size_t i = 0; i < e->n_conflicts; i++)
		of_switch += e->conflicts[i].key == sw->key;
	if ((rc = array_grow((void **)&e->conflicts, e->n_conflicts, &e->cap_conflicts, sizeof *e->conflicts)) < 0)
		return rc;
	e->conflicts[e->n_conflicts++] = (struct told_conflict){ sw->key, p->if_index, true };
	if (of_switch >= PER_SWITCH) {
		e->counters[CNT_CONFLICTS_UNTOLD]++;
		return 0;
	}
	event_of_conflict(e, sw, p, &ev);
	return change_event(e, &ev, NULL, now);
}

/* All new ones with the list that says they were told, in one change. -EAGAIN of change_end(). */
static int
conflicts_add(struct engine *e, struct moment now)
{
	uint64_t untold = e->counters[CNT_CONFLICTS_UNTOLD];
	size_t before = e->n_conflicts;
	bool begun = false;
	int rc = 0;

	for (size_t i = 0; i < e->net.n_switches && rc == 0; i++) {
		const struct sw *sw = e->net.switches[i];

		for (size_t k = 0; k < sw->n_ports && rc == 0; k++) {
			const struct port *p = &sw->ports[k];

			if ((p->why != REASON_CONFLICT_NEIGHBOUR && p->why != REASON_CONFLICT_MAC) || conflict_of(e, sw, p) != NULL ||
			    e->n_conflicts >= MAX)
				continue;
			if (!begun)
				rc = change_begin(e);
			begun = true;
			if (rc == 0)
				rc = conflict_add(e, sw, p, now);
		}
	}
	if (!begun)
		return 0;
	if (rc == 0)
		rc = conflicts_save(e);
	if ((rc = change_end(e, rc, event_word(EVENT_CONFLICT), now)) < 0) {
		e->counters[CNT_CONFLICTS_UNTOLD] = untold;
		e->n_conflicts = before;
		e->conflicts_owed = rc != -EAGAIN;
	}
	return rc;
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
		e->conflicts[i].still = p != NULL && (p->doubted || p->why == REASON_CONFLICT_NEIGHBOUR || p->why == REASON_CONFLICT_MAC);
	}
	while (conflicts_add(e, now) == -EAGAIN)
		continue;
	conflicts_forget(e, now);
}
