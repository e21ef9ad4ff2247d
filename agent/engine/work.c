/* agent/engine/work.c: what has to be looked at again after something changed, and in which order: first the ports, then the
 * devices. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "base/text.h"
#include "engine/core.h"

#define EFFORT_PER_MS 500		/* of uplinks_decide(), which does about twenty times as much in a millisecond */
#define FIRST_SWEEP_MS 1000
#define POURING 100			/* reports in that time: the first sweep goes at full speed */
#define POURING_MS 5000			/* waited for so long at most */
#define BASELINES_MAX 128		/* in one change */
#define FETCH_AHEAD 16			/* stations */
#define META_POLICIES "policies"

/* ---- policies: what was in force when we last looked at everything */

void
policies_taken(struct engine *e)
{
	map_free(&e->by_block);
	e->prefix_rules = false;
	for (size_t i = 0; i < e->conf->policies.n; i++)
		for (size_t k = 0; k < e->conf->policies.sets[i].n; k++)
			e->prefix_rules |= e->conf->policies.sets[i].rules[k].kind == RULE_PREFIX;
}

/* A hash of the rules and of the dates of the registry's files. */
static uint64_t
policies_hash(const struct engine *e)
{
	struct buf b = { 0 };
	uint64_t hash;
	size_t n;
	const struct registry_file *f = registry_files(e->registry, &n);

	policies_encode(&b, &e->conf->policies);
	for (size_t i = 0; i < n; i++) {
		put_u64(&b, (uint64_t)f[i].dated.us);
		put_u64(&b, f[i].entries);
	}
	hash = hash_bytes(b.p, b.len);
	buf_free(&b);
	return hash;
}

int
policies_save(struct engine *e)
{
	struct buf b = { 0 };
	int rc;

	if (in_memory(e)) {
		e->unsaved.policies = true;
		return 0;
	}
	put_u64(&b, policies_hash(e));
	rc = b.bad ? -ENOMEM : store_meta_put(e->store, META_POLICIES, b.p, b.len);
	buf_free(&b);
	return rc;
}

void
policies_remember(struct engine *e, struct moment now)
{
	int rc;

	do {
		if ((rc = change_begin(e)) == 0)
			rc = policies_save(e);
	} while (change_end(e, rc, "which policies are in force", now) == -EAGAIN);
}

/* True: other policies or another registry than when this database was last used; also when that is not known. */
bool
policies_differ(struct engine *e)
{
	struct buf b = { 0 };
	struct msg_in m;
	bool same;

	same = store_meta_get(e->store, META_POLICIES, &b) == 0;
	m = msg_in_of(b.p, b.len);
	same = same && get_u64(&m) == policies_hash(e) && msg_in_done(&m);
	buf_free(&b);
	return !same;
}

/* Not by what is on disk: while that fails, it is of long ago. */
bool
policies_change(struct engine *e)
{
	uint64_t before = e->policies_of;

	e->policies_of = policies_hash(e);
	return e->policies_of != before;
}

/* ---- devices and ports */

void
mac_changed(void *arg, struct mac mac)
{
	struct engine *e = arg;
	struct station *st = net_station(&e->net, mac);

	if (st != NULL && st->noted)
		return;
	if (array_grow((void **)&e->changed, e->n_changed, &e->cap_changed, sizeof *e->changed) < 0) {
		e->all_stale = true;	/* nothing is forgotten: all is looked at again */
		return;
	}
	e->changed[e->n_changed++] = mac_u64(mac);
	if (st != NULL)
		st->noted = true;
}

static void
unnote(struct engine *e, uint64_t mac)
{
	struct station *st = net_station(&e->net, mac_of_u64(mac));

	if (st != NULL)
		st->noted = false;
}

static int
u64_compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* A restricted device may show only as a neighbour: its addresses are looked at like those of the MAC tables. */
void
neighbours_changed(struct engine *e, const struct sw *sw)
{
	for (size_t i = 0; i < sw->n_neighbours; i++) {
		struct mac own[2];

		for (size_t m = 0, n = neighbour_macs(&sw->neighbours[i].neighbour, own); m < n; m++)
			mac_changed(e, own[m]);
	}
}

static void
look_at_all(struct engine *e)
{
	e->all_stale = false;
	for (size_t i = 0; i < e->net.n_slots; i++)
		if (e->net.slots[i].mac != 0)
			mac_changed(e, mac_of_u64(e->net.slots[i].mac));
	for (size_t i = 0; i < e->n_findings; i++)
		mac_changed(e, e->findings[i]->d.mac);
	for (size_t i = 0; i < e->net.n_switches; i++)
		neighbours_changed(e, e->net.switches[i]);
}

static bool
ports_changed(const struct sw *sw)
{
	for (size_t i = 0; i < sw->n_ports; i++)
		if (sw->ports[i].changed)
			return true;
	return false;
}

/* Every station on a port of which uplink.c thinks otherwise now. */
static void
look_at_ports(struct engine *e)
{
	for (size_t i = 0; i < e->net.n_switches; i++) {
		struct sw *sw = e->net.switches[i];

		if (!ports_changed(sw))
			continue;
		for (size_t at = 0; at < sw->table.fdb.n; at++) {
			const struct row_fdb f = fdb_row(&sw->table.fdb, at);
			const struct port *p = sw_port(sw, sw_folded(sw, f.if_index));

			if (p != NULL && p->changed)
				mac_changed(e, f.mac);
		}
		for (size_t k = 0; k < sw->n_ports; k++)
			sw->ports[k].changed = false;
		neighbours_changed(e, sw);
	}
}

/* The other end of a doubtful claim, and who hears it, are read again at once (uplink.c). */
static void
ask_doubted(struct engine *e)
{
	for (size_t i = 0; i < e->net.n_switches; i++) {
		struct sw *sw = e->net.switches[i];

		if (sw->doubted && !sw->doubt_asked) {
			e->ops->poll_now(e->arg, sw->key);
			e->counters[CNT_POLLS_ASKED]++;
		}
		sw->doubt_asked = sw->doubted;
	}
}

/* At full speed the first sweep is soon over, and until then most links lack their other end: a pass would conclude little, and what
 * hangs at the ports would all be looked at once more. */
static bool
is_pouring(struct engine *e, struct moment now)
{
	uint64_t came = e->counters[CNT_REPORTS] - e->poured;

	e->poured = e->counters[CNT_REPORTS];
	if (e->swept || came < POURING || mono_since(e->passed_at, now.mono) >= POURING_MS)
		return false;
	e->topology_at = mono_add(now.mono, FIRST_SWEEP_MS);
	return true;
}

/* True: the conclusions about ports are those of the tables. A pass looks at all ports, so a large network has to wait for the
 * next one for as long as some twenty passes take; then all that came in between is done at once. */
static bool
topology_decide(struct engine *e, struct moment now)
{
	int64_t wait_ms;

	if (!e->net.topology_stale) {
		if (e->conflicts_owed && e->swept)
			conflicts_tell(e, now);
		return true;
	}
	if (mono_since(e->topology_at, now.mono) < 0 || is_pouring(e, now))
		return false;
	uplinks_decide(&e->net);
	e->passed_at = now.mono;
	wait_ms = (int64_t)(e->net.effort / EFFORT_PER_MS);
	/* In the first sweep the other ends of most links were not read yet: nothing is told by then but what is clear anyway. When it
	 * is done, that is not waited for (sweep_judge()). */
	if (!e->swept)
		wait_ms = wait_ms / 5 > FIRST_SWEEP_MS ? wait_ms / 5 : FIRST_SWEEP_MS;
	e->topology_at = mono_add(now.mono, wait_ms);
	if (e->net.ports_changed)
		look_at_ports(e);
	e->net.ports_changed = false;
	if (e->swept) {
		ask_doubted(e);
		conflicts_tell(e, now);
	}
	return true;
}

/* What waits for ports and devices that are decided: who is absent, and baselines. */
static void
polled_judge(struct engine *e, struct moment now)
{
	struct sw *due[BASELINES_MAX];
	size_t n = 0;

	for (struct sw *sw; (sw = e->polled_owed) != NULL;) {
		assert(sw->polled_owed);
		e->polled_owed = sw->next_owed;
		sw->polled_owed = false;
		detect_polled(e, sw, sw->polled_complete, now);
		sw->polled_complete = false;
		if (detect_is_baseline_due(e, sw))
			due[n++] = sw;
		if (n == BASELINES_MAX || (n > 0 && e->polled_owed == NULL)) {
			detect_baselines(e, due, n, now);
			n = 0;
		}
	}
}

bool
work(struct engine *e, struct moment now)
{
	uint64_t *macs;
	size_t n, kept = 0;

	if (!topology_decide(e, now))
		return false;
	if (e->all_stale)
		look_at_all(e);
	macs = e->changed;
	n = e->n_changed;
	e->changed = NULL;
	e->n_changed = e->cap_changed = 0;
	/* Almost all are ordinary, and the others are few to sort. What is told of one of them makes no other one worth a look. */
	for (size_t i = 0; i < n; i++) {
		if (i + FETCH_AHEAD < n)
			net_station_fetch(&e->net, macs[i + FETCH_AHEAD]);
		unnote(e, macs[i]);
		if (detect_is_worth_a_look(e, mac_of_u64(macs[i])))
			macs[kept++] = macs[i];
	}
	if (kept > 0)
		qsort(macs, kept, sizeof *macs, u64_compare);
	for (size_t i = 0; i < kept; i++)
		if (i == 0 || macs[i] != macs[i - 1])
			detect_mac(e, mac_of_u64(macs[i]), now);
	free(macs);
	polled_judge(e, now);
	return true;
}

static void
address_seen(void *arg, struct mac mac, const struct ip *ip)
{
	detect_address(arg, mac, ip);
}

struct net_listener
listener(struct engine *e)
{
	return (struct net_listener){ mac_changed, address_seen, e };
}

