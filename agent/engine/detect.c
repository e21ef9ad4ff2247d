/* agent/engine/detect.c: the life of a detection: when a MAC is a finding, when it is told, moved, gone and back. Time comes in. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/text.h"
#include "engine/core.h"
#include "engine/evidence.h"
#include "engine/locate.h"

#define HOLD_MS 15000			/* the longest wait for the switches behind uplinks before a finding is told */
#define SWEEP_WAIT_MS 30000		/* from then on a single station on its port is told, though some switch was never asked */
#define HELD_AGAIN_MS 1000
#define ABSENT_POLLS 2			/* complete ones without it, until it may be gone */
#define UNREAD_WAIT_MS 900000		/* the longest wait for switches not read since it was absent, before it is told to be gone */
#define CONTRADICTED_POLLS 4		/* without it where it was, until a move is told whose end switches contradict each other about */
#define ASK_MAX 16
#define NOWHERE_MS 30000		/* between two looks at the findings without a place */
#define NOWHERE_AGEING_MS 300000	/* of them: any switch may be the one that was read */
#define MOVES_MAX 4			/* told singly in MOVES_MS: a clone jumps with every poll */
#define MOVES_MS 600000

/* ---- what the facts say now */

static enum severity
severity_of(const struct engine *e, const struct detection *d)
{
	const struct conf_site *site = d->site[0] != '\0' ? conf_site(e->conf, d->site) : NULL;
	bool core = false;

	if (d->presence == PRESENCE_GONE || d->handling == HANDLING_REMOVED)
		return SEVERITY_INFO;
	for (size_t i = 0; site != NULL && i < site->n_core_vlans; i++)
		core |= d->location.place.vlan != 0 && site->core_vlans[i] == d->location.place.vlan;
	if (d->confidence == CONFIDENCE_POSSIBLE)
		return SEVERITY_MINOR;
	if (core || (site != NULL && site->sensitive))
		return SEVERITY_CRITICAL;
	return d->origin == ORIGIN_EXISTING || d->origin == ORIGIN_POLICY ? SEVERITY_MINOR : SEVERITY_MAJOR;
}

static void
site_set(const struct engine *e, struct detection *d)
{
	const struct sw *sw = d->location.place.switch_name[0] != '\0' ? net_switch_named(&e->net, d->location.place.switch_name) : NULL;

	d->site[0] = '\0';
	if (sw != NULL && sw->conf->site != NULL)
		text_cut(d->site, sizeof d->site, sw->conf->site);
}

static void
maker_set(struct detection *d, const struct verdict_of_maker *v)
{
	size_t n = 0;

	memcpy(d->vendor, v->vendor, sizeof d->vendor);
	d->policies[0] = '\0';
	for (size_t i = 0; i < v->n_policies; i++)
		if (n + strlen(v->policies[i]) + 2 <= sizeof d->policies)	/* more names than fit: the first ones stand */
			n += (size_t)snprintf(d->policies + n, sizeof d->policies - n, "%s%s", n > 0 ? "," : "", v->policies[i]);
	d->confidence = v->confidence;
	d->conflict = v->conflict;
	memcpy(d->maker_reason, v->reason, sizeof d->maker_reason);
}

/* The device as the facts have it now, with what `d` already knows of it. False: no policy is about it. */
static bool
describe(const struct engine *e, struct mac mac, struct detection *d, struct wall at)
{
	struct verdict_of_maker v;

	d->mac = mac;
	locate(&e->net, mac, &d->location);
	evidence_of_place(&e->net, d, at);
	v = identify(&e->conf->policies, e->registry, mac, d->evidence, d->n_evidence);
	if (!v.restricted)
		return false;
	evidence_of_registry(e->registry, d, at);
	maker_set(d, &v);
	site_set(e, d);
	return true;
}

bool
detect_by_block(struct engine *e, struct mac mac)
{
	static char yes, no;
	const char *organisation = registry_lookup(e->registry, mac).organisation;
	uint64_t key = (uint64_t)(uintptr_t)organisation;
	const char *known = organisation != NULL && !e->prefix_rules ? map_get(&e->by_block, key) : NULL;
	bool restricted;

	if (known != NULL)
		return known == &yes;
	restricted = identify(&e->conf->policies, e->registry, mac, NULL, 0).restricted;
	if (organisation != NULL && !e->prefix_rules)
		map_put(&e->by_block, key, restricted ? &yes : &no);	/* out of memory: asked again */
	return restricted;
}

bool
detect_is_worth_a_look(struct engine *e, struct mac mac)
{
	const struct station *st = net_station(&e->net, mac);

	if (mac_is_zero(mac) || mac_is_group(mac))
		return false;
	if (finding_of(e, mac) != NULL || detect_by_block(e, mac) || map_get(&e->net.heard, mac_u64(mac)) != NULL)
		return true;
	for (uint32_t i = 0; st != NULL && i < station_n(st); i++) {
		const struct sighting s = sighting_at(&e->net, st, i);
		const struct port *p = sw_port(s.sw, s.if_index);

		if (p != NULL && p->has_neighbour && !p->uplink)
			return true;
	}
	return false;
}

/* A switch that restarts may number its ports anew: the socket in the wall has the same name. Where only the number is the same, the
 * port was given another name, unless the old name is that of another port now: then it is the number that went on to this one. */
static bool
same_place(const struct engine *e, const struct place *was, const struct place *is)
{
	const struct sw *sw;

	if (strcmp(was->switch_name, is->switch_name) != 0)
		return false;
	if (strcmp(was->port, is->port) == 0 && (was->port[0] != '\0' || was->if_index == is->if_index))
		return true;
	if (was->if_index != is->if_index)
		return false;
	sw = was->port[0] != '\0' ? net_switch_named(&e->net, was->switch_name) : NULL;
	for (size_t i = 0; sw != NULL && i < sw->n_ports; i++)
		if (sw->ports[i].if_index != was->if_index && strcmp(sw->ports[i].name, was->port) == 0)
			return false;
	return true;
}

/* ---- telling */

static void
presence_close(struct engine *e, const struct finding *f, struct wall to, int *rc)
{
	if (*rc == 0 && is_placed(&f->d.location))
		*rc = change_presence(e, f->d.id, &f->d.location.place, f->d.since, to);
}

/* One of many on its port: the macFlood that counted it stands for what becomes of it, too. */
static bool
is_flood_member(const struct engine *e, const struct detection *d)
{
	return d->told == TOLD_COUNTED && !is_quiet(e, d);
}

static bool
move_may_be_told(struct finding *f, struct moment now)
{
	if (f->moves == 0 || mono_since(f->moves_from, now.mono) > MOVES_MS) {
		f->moves_from = now.mono;
		f->moves = 0;
	}
	return f->moves < MOVES_MAX;
}

/* Of which table on this place shows it; 0: before this run; -1: no table of MACs does. */
static int64_t
since_at(const struct engine *e, struct mac mac, const struct place *at)
{
	const struct station *st = net_station(&e->net, mac);
	int64_t since = -1;

	for (uint32_t i = 0; st != NULL && i < station_n(st); i++) {
		const struct sighting s = sighting_at(&e->net, st, i);

		if (s.if_index == at->if_index && s.since > since && strcmp(s.sw->name, at->switch_name) == 0)
			since = s.since;
	}
	return since;
}

/* What is said of this place was read before its switch stopped answering. */
static bool
is_old(const struct engine *e, const struct location *l)
{
	const struct sw *sw = net_switch_named(&e->net, l->place.switch_name);

	return sw != NULL && !sw_is_reached(sw);
}

/* Both are behind an uplink, and another uplink has learned it since: it went from behind one switch to behind another, of which nobody
 * can ask what it shows. Of one that answers that is only awaited. */
static bool
is_beyond_another(const struct engine *e, const struct finding *f, const struct detection *d)
{
	const struct location *was = &f->d.location, *is = &d->location;

	return was->verdict == VERDICT_BEYOND && is->reason == REASON_BEYOND_UNREACHABLE && !is_old(e, was) && !same_place(e, &was->place, &is->place) &&
	    since_at(e, d->mac, &is->place) > since_at(e, d->mac, &was->place);
}

/* All that belongs into the change; the caller ends it. */
static int
tell_once(struct engine *e, struct finding *f, struct detection *d, enum event_type type, bool quiet, struct moment now)
{
	struct finding next = *f;
	struct event ev;
	int rc = change_begin(e);

	if (type == EVENT_DEVICE_MOVED || type == EVENT_DEVICE_GONE)
		presence_close(e, f, now.wall, &rc);
	/* Not later: a run that begins with older tables would take the place that was left for a move back. */
	if (rc == 0)
		rc = tables_write(e);
	if (rc == 0)
		rc = change_detection(e, d);
	if (rc < 0 || quiet)
		return rc;
	next.d = *d;
	event_of_finding(e, &next, type, &ev);
	return change_event(e, &ev, NULL, now);
}

/* Writes `d` with its event; the finding takes `d` over only when that is on disk. A detection that belongs into a summary is
 * written without an event, and owed to it. */
static void
tell(struct engine *e, struct finding *f, struct detection *d, enum event_type type, struct moment now)
{
	bool first = type == EVENT_DEVICE_DETECTED, member = !first && is_flood_member(e, &f->d);
	/* Of a switch that is not configured there will be no summary. */
	bool stock = first && is_quiet(e, d) && net_switch_named(&e->net, d->location.place.switch_name) != NULL;
	bool moves = type == EVENT_DEVICE_MOVED || (type == EVENT_DEVICE_CHANGED && is_beyond_another(e, f, d));
	bool quiet = stock || member || (first && !port_may_alarm(e, &d->location, now)) || (moves && !move_may_be_told(f, now));
	const uint32_t id = d->id;
	int rc;

	d->announced = true;
	d->told = quiet ? d->told : TOLD_SINGLY;
	if (type == EVENT_DEVICE_MOVED || type == EVENT_DEVICE_GONE)
		d->since = now.wall;
	do {
		d->id = id;
		rc = tell_once(e, f, d, type, quiet, now);
	} while ((rc = change_end(e, rc, event_word(type), now)) == -EAGAIN);
	if (rc < 0) {
		f->held = true;			/* decided again when its time comes */
		f->held_until = mono_add(now.mono, HELD_AGAIN_MS);
		return;
	}
	tables_written(e);
	if (moves) {
		f->moves += !quiet;
		f->move_owed = quiet && !member;
		e->counters[CNT_MOVES_DAMPED] += f->move_owed;
	}
	if (first && !stock)
		port_alarmed(e, &d->location, !quiet, now);
	finding_take(e, f, d);
	f->placed_since = is_placed(&d->location) ? since_at(e, d->mac, &d->location.place) : 0;
	f->held = f->dirty = false;
	e->summaries_owed = e->summaries_owed || d->told == TOLD_NOT;
}

/* ---- a new finding: wait for a better place */

static size_t
ask_behind(struct engine *e, struct finding *f)
{
	struct sw *ask[ASK_MAX];
	size_t n = locate_ask(&e->net, f->d.mac, ask, ASK_MAX);

	for (size_t i = 0; i < n && f->asks < ASK_MAX; i++) {
		e->ops->poll_now(e->arg, ask[i]->key);
		e->counters[CNT_POLLS_ASKED]++;
	}
	f->asks++;
	return n;
}

/* Switches that contradict each other about a new address: who has not heard yet that it moved on does with its next poll. */
static void
ask_again(struct engine *e, struct finding *f)
{
	const struct station *st = f->asks == 0 ? net_station(&e->net, f->d.mac) : NULL;

	f->asks++;
	for (uint32_t i = 0; st != NULL && i < station_n(st) && i < ASK_MAX; i++) {
		e->ops->poll_now(e->arg, sighting_at(&e->net, st, i).sw->key);
		e->counters[CNT_POLLS_ASKED]++;
	}
}

/* True while it is worth waiting: some switch was never asked, or a switch behind an uplink is being asked. */
static bool
place_is_pending(struct engine *e, struct finding *f, const struct location *l, struct moment now)
{
	if (!e->swept)			/* a switch that takes minutes must not hide a camera whose place is clear */
		return l->verdict != VERDICT_ACCESS || mono_since(e->started, now.mono) < SWEEP_WAIT_MS;
	if (mono_since(f->held_until, now.mono) >= 0)
		return false;
	if (l->reason == REASON_SEVERAL_PORTS) {
		ask_again(e, f);
		return true;
	}
	return l->verdict == VERDICT_BEYOND && (ask_behind(e, f) > 0 || locate_in_doubt(&e->net, f->d.mac));
}

/* Nobody had looked at its place before it was found. Where no place is known, or its switch is not configured any more or has died,
 * it stays what was known last; and at first that is so while nothing was read in any run. */
static bool
is_stock(const struct engine *e, const struct finding *f, const struct detection *d)
{
	const struct sw *sw = net_switch_named(&e->net, d->location.place.switch_name);

	return sw == NULL ? f->stock : sw->baseline_at.us == 0 || f->made < sw->baseline_order;
}

static enum origin
origin_of(const struct engine *e, const struct finding *f, const struct detection *d)
{
	if (d->origin == ORIGIN_POLICY || d->origin == ORIGIN_EXISTING)
		return d->origin;
	return is_stock(e, f, d) ? ORIGIN_EXISTING : ORIGIN_NEW;
}

/* It was there before the policy or the registry that it falls under now. */
static bool
is_brought_up_by_policy(const struct engine *e, struct mac mac)
{
	const struct station *st = net_station(&e->net, mac);

	if (e->policy != POLICY_SINCE_LAST_RUN)
		return e->policy == POLICY_NOW;
	for (uint32_t i = 0; st != NULL && i < station_n(st); i++)
		if (sighting_at(&e->net, st, i).since == 0)
			return true;
	return false;
}

static struct finding *
finding_new(struct engine *e, struct detection *d, struct moment now)
{
	struct finding *f;

	d->presence = PRESENCE_PRESENT;
	d->handling = HANDLING_OPEN;
	d->first_seen = d->last_seen = d->since = d->arrived = now.wall;
	if (is_brought_up_by_policy(e, d->mac))
		d->origin = ORIGIN_POLICY;
	address_known(&e->net, d->mac, &d->ip);
	if ((f = finding_add(e, d)) == NULL)
		return NULL;			/* counted, or out of memory: looked at again when something about it changes */
	f->held = true;
	f->stock = e->first_run && !e->swept;
	f->held_until = mono_add(now.mono, HOLD_MS);
	f->seen_at = now.wall;
	return f;
}

static void
finding_announce(struct engine *e, struct finding *f, struct detection *d, struct moment now)
{
	bool away = d->location.reason == REASON_NOT_SEEN && f->d.location.reason != REASON_NOT_SEEN;

	if (away) {
		d->location = f->d.location;	/* gone before it was told: told all the same, where it was seen */
		site_set(e, d);
	}
	f->stock = is_stock(e, f, d);
	/* Seen by an uplink alone and then by nobody, it may be on its way to another port. */
	away = away && e->swept && d->location.verdict == VERDICT_BEYOND && mono_since(f->held_until, now.mono) < 0;
	if (away || place_is_pending(e, f, &d->location, now)) {
		finding_take(e, f, d);
		return;
	}
	d->origin = origin_of(e, f, d);
	d->severity = severity_of(e, d);
	tell(e, f, d, EVENT_DEVICE_DETECTED, now);
}

/* ---- a known finding */

/* Something else speaks of it now, too: its own words beside the registry's. */
static bool
has_new_source(const struct detection *was, const struct detection *is)
{
	for (size_t i = 0; i < is->n_evidence; i++) {
		bool known = false;

		for (size_t k = 0; k < was->n_evidence && !known; k++)
			known = strcmp(was->evidence[k].source, is->evidence[i].source) == 0;
		if (!known)
			return true;
	}
	return false;
}

static bool
is_better(const struct detection *was, const struct detection *is)
{
	return is->confidence < was->confidence || (is_placed(&is->location) && !is_placed(&was->location)) ||
	    (is->conflict && !was->conflict) || has_new_source(was, is);
}

/* Takes over what changed without being worth an event. */
static void
finding_refresh(struct engine *e, struct finding *f, struct detection *d)
{
	struct buf was = { 0 }, is = { 0 };

	f->d.last_seen = d->last_seen;		/* not worth a write: it is derived from the polls of its switch */
	detection_encode(&was, &f->d);
	detection_encode(&is, d);
	f->dirty = f->dirty || was.len != is.len || was.bad || is.bad || memcmp(was.p, is.p, is.len) != 0;
	buf_free(&was);
	buf_free(&is);
	finding_take(e, f, d);
}

static void
place_keep(const struct finding *f, struct detection *d)
{
	d->location = f->d.location;
	memcpy(d->site, f->d.site, sizeof d->site);
}

static enum presence
presence_at(const struct engine *e, const struct location *l)
{
	const struct sw *sw = net_switch_named(&e->net, l->place.switch_name);

	return sw != NULL && sw->lost ? PRESENCE_STALE : PRESENCE_PRESENT;
}

/* This place was known to show it when we told another one: its table may be of before the move, and its switch slow to forget.
 * Nothing moves back by that alone, as long as somebody looks for it there (absence()). */
static bool
is_left_behind(const struct engine *e, const struct finding *f, const struct location *l)
{
	const int64_t since = since_at(e, f->d.mac, &l->place);

	return is_placed(l) && f->at != NULL && since >= 0 && since < f->placed_since && !same_place(e, &f->d.location.place, &l->place);
}

/* A device that was gone shows again: as a fact of now, not as what an uplink still remembers. */
static bool
is_back(const struct engine *e, const struct finding *f, const struct detection *d)
{
	const struct station *st = net_station(&e->net, d->mac);

	if (is_placed(&d->location) && !is_old(e, &d->location))
		return true;
	for (uint32_t i = 0; st != NULL && i < station_n(st); i++)
		if (sighting_at(&e->net, st, i).since > f->gone_since)
			return true;
	return false;
}

static void
finding_returned(struct engine *e, struct finding *f, struct detection *d, struct moment now)
{
	if (!f->held) {
		f->held = true;
		f->held_until = mono_add(now.mono, HOLD_MS);
		f->asks = 0;
		f->seen_at = now.wall;
	}
	if (place_is_pending(e, f, &d->location, now))
		return;
	assert(f->d.presence == PRESENCE_GONE && f->d.announced);
	d->presence = presence_at(e, &d->location);
	d->origin = ORIGIN_RETURNED;
	d->gone_at = (struct wall){ 0 };
	d->last_seen = d->since = d->arrived = now.wall;
	d->severity = severity_of(e, d);
	f->absent_polls = 0;
	tell(e, f, d, EVENT_DEVICE_RETURNED, now);
}

/* Removed because no policy was about it, and now one is again. */
static bool
is_listed_again(const struct finding *f)
{
	return f->d.handling == HANDLING_REMOVED && f->d.policies[0] == '\0';
}

static void
finding_update(struct engine *e, struct finding *f, struct detection *d, struct moment now)
{
	bool told_again = is_listed_again(f);

	if (f->d.presence == PRESENCE_GONE) {
		if (d->location.reason != REASON_NOT_SEEN && is_back(e, f, d))
			finding_returned(e, f, d, now);
		else
			f->held = false;
		return;
	}
	/* Absence is judged poll by poll, in detect_polled(); and a switch that cannot be asked is no witness for a move. */
	if (d->location.reason == REASON_NOT_SEEN || is_left_behind(e, f, &d->location) ||
	    (!same_place(e, &f->d.location.place, &d->location.place) && is_old(e, &d->location))) {
		place_keep(f, d);
		f->held = false;
		finding_refresh(e, f, d);
		return;
	}
	d->last_seen = now.wall;
	d->absent = false;
	if (!is_placed(&d->location) && (is_placed(&f->d.location) || locate_is_echo(&e->net, d->mac))) {
		/* Only uplinks show it now that did so all the time: on its way to another port, or to being gone (absence()). */
		ask_behind(e, f);
		place_keep(f, d);
	} else if (is_placed(&d->location) && is_placed(&f->d.location) && !same_place(e, &f->d.location.place, &d->location.place)) {
		f->seen_at = now.wall;
		f->asks = f->absent_polls = 0;
		d->presence = presence_at(e, &d->location);
		d->severity = severity_of(e, d);
		tell(e, f, d, EVENT_DEVICE_MOVED, now);
		return;
	}
	d->presence = presence_at(e, &d->location);
	if (told_again) {
		d->handling = HANDLING_OPEN;
		d->origin = ORIGIN_POLICY;
		d->handled_why[0] = '\0';
		d->told = TOLD_NOT;
	}
	d->severity = severity_of(e, d);
	if (told_again || ((is_better(&f->d, d) || is_beyond_another(e, f, d)) && (d->told == TOLD_SINGLY || !is_quiet(e, d)))) {
		f->seen_at = now.wall;
		tell(e, f, d, told_again ? EVENT_DEVICE_DETECTED : EVENT_DEVICE_CHANGED, now);
		return;
	}
	f->held = false;
	finding_refresh(e, f, d);
}

/* No policy is about it any more. Only a changed policy can say that: a registry that cannot be read says nothing. */
static void
finding_unlisted(struct engine *e, struct finding *f, struct moment now)
{
	struct detection d = f->d;

	if (!d.announced || d.handling == HANDLING_REMOVED)
		f->held = false;		/* nobody has heard of it, or all have */
	if (!d.announced || d.handling == HANDLING_REMOVED || (e->policy == POLICY_SAME && !f->unlist_owed) ||
	    (registry_lookup(e->registry, d.mac).organisation == NULL && !mac_is_local(d.mac)))
		return;
	d.policies[0] = '\0';
	d.handling = HANDLING_REMOVED;
	d.severity = SEVERITY_INFO;
	text_cut(d.handled_by, sizeof d.handled_by, "policy");
	text_cut(d.handled_why, sizeof d.handled_why, "no policy in force is about it");
	f->unlist_owed = true;			/* until it is on disk; tell() holds it for another try */
	tell(e, f, &d, EVENT_DEVICE_HANDLED, now);
	f->unlist_owed = f->held;
}

void
detect_mac(struct engine *e, struct mac mac, struct moment now)
{
	struct finding *f = finding_of(e, mac);
	struct detection d;

	if (!detect_is_worth_a_look(e, mac))
		return;
	if (f != NULL)
		d = f->d;
	else
		memset(&d, 0, sizeof d);
	if (!describe(e, mac, &d, now.wall)) {
		if (f != NULL)
			finding_unlisted(e, f, now);
		return;
	}
	if (f == NULL && (d.location.reason == REASON_NOT_SEEN || (f = finding_new(e, &d, now)) == NULL))
		return;
	if (!f->d.announced)
		finding_announce(e, f, &d, now);
	else
		finding_update(e, f, &d, now);
}

/* ---- switches */

/* Does this switch still show it where we say that it is? */
static bool
is_shown(const struct engine *e, const struct finding *f, const struct sw *sw)
{
	const struct station *st = net_station(&e->net, f->d.mac);
	struct location l;

	for (uint32_t i = 0; st != NULL && i < station_n(st); i++) {
		const struct sighting s = sighting_at(&e->net, st, i);

		if (f->at == NULL || (s.sw == sw && s.if_index == f->d.location.place.if_index))
			return true;
	}
	if (f->at == NULL)			/* no place: anything that shows it will do */
		return map_get(&e->net.heard, mac_u64(f->d.mac)) != NULL;
	locate(&e->net, f->d.mac, &l);	/* a place that a neighbour table names, or none at all */
	return l.reason != REASON_NOT_SEEN && (same_place(e, &f->d.location.place, &l.place) || !is_placed(&f->d.location));
}

static void
absent_set(struct finding *f, bool absent)
{
	f->dirty = f->dirty || f->d.absent != absent;
	f->d.absent = absent;
}

/* This switch may show it: it was not read since the finding was absent first, and is not given up. */
static bool
is_unread(const struct sw *sw, const struct finding *f)
{
	return sw->polls > 0 && !sw->lost && mono_since(f->absent_at, sw->read_from) < 0;
}

/* Some switch is, looked for from the one that was it last: most that wait do so for the same. */
static bool
is_any_unread(struct engine *e, const struct finding *f)
{
	for (size_t i = 0; i < e->net.n_switches; i++) {
		size_t at = (e->unread_at + i) % e->net.n_switches;

		if (is_unread(e->net.switches[at], f)) {
			e->unread_at = at;
			return true;
		}
	}
	return false;
}

/* It was absent in enough polls: is that for long enough by now, and what is to be told of it? */
static void
absence_judge(struct engine *e, struct finding *f, struct moment now)
{
	struct detection d = f->d;
	bool left_behind;

	f->absence_owed = mono_since(f->gone_due, now.mono) < 0;
	if (f->absence_owed)
		return;
	locate(&e->net, d.mac, &d.location);
	left_behind = is_left_behind(e, f, &d.location);
	if ((d.location.reason == REASON_SEVERAL_PORTS || left_behind) && f->absent_polls < CONTRADICTED_POLLS) {
		ask_again(e, f);		/* some of them may have been read before it moved */
		return;
	}
	if (d.location.reason == REASON_NOT_SEEN || locate_is_echo(&e->net, d.mac)) {
		f->absence_owed = mono_since(f->gone_due, now.mono) < UNREAD_WAIT_MS && is_any_unread(e, f);
		if (f->absence_owed)
			return;
		f->seen_at = now.wall;
		place_keep(f, &d);
		d.presence = PRESENCE_GONE;
		d.gone_at = now.wall;
		f->gone_since = e->since;
		d.severity = SEVERITY_INFO;
		tell(e, f, &d, EVENT_DEVICE_GONE, now);
	} else if (!is_placed(&d.location) || (left_behind && !is_old(e, &d.location))) {
		/* Alive somewhere that we cannot see into: what is not known must not be said. Or it is back where it still shows after
		 * that was read again. */
		f->seen_at = now.wall;
		f->absent_polls = f->asks = 0;
		site_set(e, &d);
		d.severity = severity_of(e, &d);
		tell(e, f, &d, EVENT_DEVICE_MOVED, now);
	}
}

/* The switch of a finding was read completely. Absent: two such polls without it, and its ageing time past since the first of them.
 * How long nobody had looked before says nothing: it may have been there until then, and a switch that comes back knows nobody yet. */
static void
absence(struct engine *e, struct finding *f, const struct sw *sw, struct moment now)
{
	assert(f->at == sw || f->at == NULL);
	if (f->d.presence == PRESENCE_GONE || !f->d.announced || (f->at == NULL && f->d.location.place.switch_name[0] != '\0'))
		return;				/* the last: its switch is not configured, nobody looks there */
	if (is_shown(e, f, sw)) {
		absent_set(f, false);
		f->absent_polls = 0;
		f->d.last_seen = now.wall;
		return;
	}
	absent_set(f, true);
	if (f->absent_polls == 0) {
		f->asks = 0;
		f->absent_at = sw->polled_at;
		f->gone_due = mono_add(now.mono, f->at != NULL ? (int64_t)sw->ageing_s * 1000 : NOWHERE_AGEING_MS);
	}
	/* More of them count only from then on: who contradicts a move is not asked before. */
	if (f->absent_polls < ABSENT_POLLS || mono_since(f->gone_due, now.mono) >= 0)
		f->absent_polls++;
	if (f->absent_polls >= ABSENT_POLLS)
		absence_judge(e, f, now);
}

/* Its switch is asked, and answers: of one that does not, nothing more can be known. */
static bool
is_looked_for(const struct finding *f)
{
	return f->at != NULL ? f->at->missed == 0 && !f->at->lost : f->d.location.place.switch_name[0] == '\0';
}

/* Milliseconds until its absence is judged again. */
static int64_t
absence_tick(struct engine *e, struct finding *f, struct moment now)
{
	int64_t ms = mono_since(now.mono, f->gone_due);

	if (ms > 0)
		return ms;
	f->absence_owed = false;
	if (f->absent_polls >= ABSENT_POLLS && f->d.presence != PRESENCE_GONE && is_looked_for(f))
		absence_judge(e, f, now);
	return HELD_AGAIN_MS;
}

/* The switches with their date, and what hangs there; the caller ends the change. Fills in the id that each finding has then. */
static int
baselines_write(struct engine *e, struct sw *const *due, size_t n, uint32_t *ids)
{
	int rc = change_begin(e);

	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = change_switch(e, due[i]);
		for (struct finding *f = due[i]->findings; f != NULL && rc == 0; f = f->next_at) {
			struct detection d = f->d;

			if (!d.announced) {
				d.origin = d.origin == ORIGIN_POLICY ? ORIGIN_POLICY : ORIGIN_EXISTING;
				rc = change_detection(e, &d);
			}
			*ids++ = d.id;
		}
	}
	return rc;
}

/* The same to its end: 0, or what went wrong, and then it is as before. */
static int
baselines_keep(struct engine *e, struct sw *const *due, size_t n, uint32_t *ids, struct moment now)
{
	int rc;

	for (size_t i = 0; i < n; i++)
		due[i]->baseline_at = now.wall;
	do
		rc = baselines_write(e, due, n, ids);
	while ((rc = change_end(e, rc, "the baseline of a switch", now)) == -EAGAIN);
	for (size_t i = 0; i < n && rc < 0; i++)
		due[i]->baseline_at = (struct wall){ 0 };
	for (size_t i = 0; i < n && rc == 0 && !in_memory(e); i++)
		due[i]->dirty = due[i]->state_dirty = due[i]->table_dirty = false;
	return rc;
}

/* What is held waits no longer for the baseline of its place. */
static void
held_tell(struct engine *e, struct sw *sw, struct moment now)
{
	for (struct finding *f = sw->findings, *next; f != NULL; f = next) {
		next = f->next_at;		/* it may leave the list */
		if (f->held)
			detect_mac(e, f->d.mac, now);
	}
}

void
detect_baselines(struct engine *e, struct sw *const *due, size_t n, struct moment now)
{
	size_t n_findings = 0, k = 0;
	uint32_t *ids;
	int rc;

	for (size_t i = 0; i < n; i++)
		for (struct finding *f = due[i]->findings; f != NULL; f = f->next_at)
			n_findings++;
	ids = calloc(n_findings + 1, sizeof *ids);
	rc = ids != NULL ? baselines_keep(e, due, n, ids, now) : -ENOMEM;
	for (size_t i = 0; i < n && rc == 0; i++) {
		due[i]->baseline_order = ++e->order;
		for (struct finding *f = due[i]->findings; f != NULL; f = f->next_at) {
			f->d.id = ids[k++];
			if (!f->d.announced && f->d.origin != ORIGIN_POLICY)
				f->d.origin = ORIGIN_EXISTING;
		}
	}
	free(ids);
	for (size_t i = 0; i < n; i++) {
		if (rc < 0 && n > 1) {		/* what one of them cannot have, the others may */
			detect_baselines(e, &due[i], 1, now);
		} else if (rc == 0) {
			held_tell(e, due[i], now);
			summary_tell(e, due[i], now);
		}				/* else with its next poll */
	}
	relearning_judge(e, now);
}

bool
detect_is_baseline_due(const struct engine *e, const struct sw *sw)
{
	return sw->baseline_at.us == 0 && e->swept && (sw->complete_polls > 0 || sw->polls >= 3);
}

void
detect_polled(struct engine *e, struct sw *sw, bool complete, struct moment now)
{
	struct finding *next;

	for (struct finding *f = complete ? sw->findings : NULL; f != NULL; f = next) {
		next = f->next_at;
		absence(e, f, sw, now);
	}
	if (complete && mono_since(e->nowhere_at, now.mono) >= NOWHERE_MS) {
		e->nowhere_at = now.mono;
		for (struct finding *f = e->nowhere; f != NULL; f = next) {
			next = f->next_at;
			absence(e, f, sw, now);
		}
	}
}

static size_t
uplinks_of(const struct sw *sw)
{
	size_t n = 0;

	for (size_t i = 0; i < sw->n_ports; i++)
		n += sw->ports[i].uplink && sw->ports[i].towards != NULL;
	return n;
}

/* Its way to us leads over a switch that does not answer either. Of two neighbours the one with more links is nearer to the core. */
static bool
is_behind_dead(const struct sw *sw)
{
	size_t own = uplinks_of(sw);

	for (size_t i = 0; i < sw->n_ports; i++) {
		const struct sw *t = sw->ports[i].uplink ? sw->ports[i].towards : NULL;

		if (t != NULL && t->missed > 0 && (uplinks_of(t) > own || (uplinks_of(t) == own && t->key < sw->key)))
			return true;
	}
	return false;
}

static uint32_t
stale_set(struct sw *sw, bool stale)
{
	uint32_t count = 0;

	for (struct finding *f = sw->findings; f != NULL; f = f->next_at) {
		enum presence p = stale ? PRESENCE_STALE : PRESENCE_PRESENT;

		if (f->d.presence == PRESENCE_GONE)
			continue;
		count++;
		f->dirty = f->dirty || (f->d.announced && f->d.presence != p);
		f->d.presence = p;
	}
	return count;
}

void
detect_reachability(struct engine *e, struct sw *sw, struct moment now)
{
	struct event ev;
	uint32_t count;
	int rc;

	if (sw->missed == 0 || sw->missed >= 3)	/* in between it stays what it was, over a restart too */
		sw->lost = sw->missed > 0;
	count = stale_set(sw, sw->lost);
	/* One alarm names the switch that died, not all that hang behind it; theirs follows if they stay dead without it. */
	if (sw->lost == sw->unreachable_told || (sw->lost && is_behind_dead(sw)))
		return;
	event_of_switch(e, sw, sw->lost ? EVENT_SWITCH_UNREACHABLE : EVENT_SWITCH_REACHABLE, &ev);
	ev.count = count;
	ev.severity = sw->lost ? SEVERITY_MAJOR : SEVERITY_INFO;
	text_printf(ev.text, sizeof ev.text, "%s %s; %u restricted device%s there", sw->name, !sw->lost ? "answers again" :
	    sw->state == SWITCH_AUTH_FAILED ? "refuses the credentials it is asked with" : "does not answer", count, count == 1 ? "" : "s");
	sw->unreachable_told = sw->lost;
	do {
		if ((rc = change_begin(e)) == 0 && (rc = change_switch(e, sw)) == 0)
			rc = change_event(e, &ev, NULL, now);
	} while ((rc = change_end(e, rc, event_word(ev.type), now)) == -EAGAIN);
	if (rc < 0)
		sw->unreachable_told = !sw->lost;	/* with its next report */
}

void
detect_forget(struct engine *e, struct sw *sw)
{
	stale_set(sw, true);
	while (sw->findings != NULL)
		finding_leave(e, sw->findings);
}

void
detect_address(struct engine *e, struct mac mac, const struct ip *ip)
{
	struct finding *f = finding_of(e, mac);

	if (f == NULL || !address_is_better(&f->d.ip, ip))
		return;
	f->d.ip = *ip;
	f->dirty = f->dirty || f->d.announced;
}

void
detect_tell_singly(struct engine *e, struct finding *f, struct moment now)
{
	struct detection d = f->d;

	tell(e, f, &d, EVENT_DEVICE_DETECTED, now);
}

/* It has jumped about untold: where it is now. */
static void
move_tell(struct engine *e, struct finding *f, struct moment now)
{
	struct detection d = f->d;

	if (d.presence == PRESENCE_GONE)
		f->move_owed = false;
	else
		tell(e, f, &d, EVENT_DEVICE_MOVED, now);	/* owed until that has ended well */
}

int64_t
detect_tick(struct engine *e, struct moment now)
{
	int64_t next = 60000;

	for (size_t i = 0; i < e->n_findings; i++) {
		struct finding *f = e->findings[i];
		int64_t ms;

		if (f->move_owed && mono_since(f->moves_from, now.mono) > MOVES_MS &&
		    (!f->held || mono_since(f->held_until, now.mono) >= 0))
			move_tell(e, f, now);
		if (f->absence_owed && (ms = absence_tick(e, f, now)) < next)
			next = ms;
		if (!f->held)
			continue;
		if ((ms = mono_since(now.mono, f->held_until)) <= 0) {
			detect_mac(e, f->d.mac, now);
			if (!f->held)
				continue;
			if ((ms = mono_since(now.mono, f->held_until)) <= 0) {
				f->held_until = mono_add(now.mono, HELD_AGAIN_MS);
				ms = HELD_AGAIN_MS;
			}
		}
		next = ms < next ? ms : next;
	}
	return next;
}
