/* agent/engine/detect.c: the life of a detection: when a MAC is a finding, when it is told, moved, gone and back. Time comes in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "base/text.h"
#include "engine/core.h"
#include "engine/locate.h"

#define HOLD_MS 15000			/* the longest wait for the switches behind uplinks before a finding is told */
#define ASK_MAX 16
#define ALARMS_PER_PORT 8
#define FLOOD_MS 60000

struct finding *
finding_of(const struct engine *e, struct mac mac)
{
	for (size_t i = 0; i < e->n_findings; i++)
		if (mac_eq(e->findings[i]->d.mac, mac))
			return e->findings[i];
	return NULL;
}

struct finding *
finding_add(struct engine *e, const struct detection *d)
{
	struct finding *f;

	if (array_grow((void **)&e->findings, e->n_findings, &e->cap_findings, sizeof(struct finding *)) < 0 ||
	    (f = calloc(1, sizeof *f)) == NULL)
		return NULL;
	f->d = *d;
	f->present_since = d->first_seen;
	e->findings[e->n_findings++] = f;
	return f;
}

/* ---- evidence */

static void
evidence_add(struct detection *d, const char *source, const char *key, const struct octets *value, struct wall at)
{
	struct evidence ev = { .at = at };

	octets_text(value, ev.value, sizeof ev.value);
	if (ev.value[0] == '\0')
		return;
	text_cut(ev.source, sizeof ev.source, source);
	text_cut(ev.key, sizeof ev.key, key);
	for (size_t i = 0; i < d->n_evidence; i++)
		if (strcmp(d->evidence[i].source, ev.source) == 0 && strcmp(d->evidence[i].key, ev.key) == 0 &&
		    strcmp(d->evidence[i].value, ev.value) == 0)
			return;
	if (d->n_evidence < EVIDENCE_MAX)
		d->evidence[d->n_evidence++] = ev;
}

/* What a neighbour on the station's own port says of itself: it is the station if it carries its MAC, or if both are alone. */
static void
evidence_of_port(const struct sw *sw, const struct port *p, struct detection *d, struct wall at)
{
	size_t on_port = 0;

	for (size_t i = 0; i < sw->n_neighbours; i++)
		on_port += sw->neighbours[i].neighbour.if_index == p->if_index;
	for (size_t i = 0; i < sw->n_neighbours; i++) {
		const struct row_neighbour *nb = &sw->neighbours[i].neighbour;
		struct mac chassis = { 0 }, port = { 0 };

		octets_mac(&nb->chassis, &chassis);
		octets_mac(&nb->port, &port);
		if (nb->if_index != p->if_index)
			continue;
		if (!mac_eq(chassis, d->mac) && !mac_eq(port, d->mac) && (on_port > 1 || p->stations > 1))
			continue;
		evidence_add(d, "lldp", "sysName", &nb->sys_name, at);
		evidence_add(d, "lldp", "sysDesc", &nb->sys_desc, at);
		evidence_add(d, "lldp", "portDesc", &nb->port_desc, at);
		evidence_add(d, "cdp", "platform", &nb->platform, at);
		evidence_add(d, "lldp-med", "maker", &nb->med_maker, at);
		evidence_add(d, "lldp-med", "model", &nb->med_model, at);
		evidence_add(d, "lldp-med", "serial", &nb->med_serial, at);
		if (nb->n_mgmt > 0 && d->ip.family == 0 && !ip_is_special(&nb->mgmt[0]))
			d->ip = nb->mgmt[0];
	}
}

/* ---- what the facts say now */

static enum severity
severity_of(const struct engine *e, const struct detection *d)
{
	const struct conf_site *site = d->site[0] != '\0' ? conf_site(e->conf, d->site) : NULL;
	bool core = false;

	if (d->presence == PRESENCE_GONE)
		return SEVERITY_INFO;
	for (size_t i = 0; site != NULL && i < site->n_core_vlans; i++)
		core |= d->location.place.vlan != 0 && site->core_vlans[i] == d->location.place.vlan;
	if (d->confidence == CONFIDENCE_POSSIBLE)
		return SEVERITY_MINOR;
	if (core || (site != NULL && site->sensitive))
		return SEVERITY_CRITICAL;
	return d->origin == ORIGIN_EXISTING ? SEVERITY_MINOR : SEVERITY_MAJOR;
}

/* The device as the facts have it now, with what `d` already knows of it. False: no policy is about it. */
static bool
describe(const struct engine *e, struct mac mac, struct detection *d, struct wall at)
{
	struct verdict_of_maker v;
	const struct sw *sw;
	const struct port *p;
	size_t n = 0;

	d->mac = mac;
	locate(&e->net, mac, &d->location);
	sw = d->location.place.switch_name[0] != '\0' ? net_switch_named(&e->net, d->location.place.switch_name) : NULL;
	p = sw != NULL ? sw_port(sw, d->location.place.if_index) : NULL;
	if (p != NULL && !p->uplink)
		evidence_of_port(sw, p, d, at);
	v = identify(&e->conf->policies, e->registry, mac, d->evidence, d->n_evidence);
	if (!v.restricted)
		return false;
	memcpy(d->vendor, v.vendor, sizeof d->vendor);
	d->policies[0] = '\0';
	for (size_t i = 0; i < v.n_policies; i++)
		if (n + strlen(v.policies[i]) + 2 <= sizeof d->policies)	/* more names than fit: the first ones stand */
			n += (size_t)snprintf(d->policies + n, sizeof d->policies - n, "%s%s", n > 0 ? "," : "", v.policies[i]);
	d->confidence = v.confidence;
	d->conflict = v.conflict;
	memcpy(d->maker_reason, v.reason, sizeof d->maker_reason);
	d->site[0] = '\0';
	if (sw != NULL && sw->conf->site != NULL)
		text_cut(d->site, sizeof d->site, sw->conf->site);
	return true;
}

static bool
is_placed(const struct location *l)
{
	return l->verdict == VERDICT_ACCESS || l->verdict == VERDICT_SHARED;
}

static bool
same_place(const struct place *a, const struct place *b)
{
	return a->if_index == b->if_index && strcmp(a->switch_name, b->switch_name) == 0;
}

/* ---- telling */

/* More than eight single alarms on a port in a minute become one macFlood. True: this one may be told singly. */
static bool
port_may_alarm(struct engine *e, const struct finding *f, struct moment now)
{
	const struct place *at = &f->d.location.place;
	struct flood *slot = NULL;
	struct event ev;

	for (size_t i = 0; i < FLOODS_MAX; i++) {
		struct flood *x = &e->floods[i];

		if (x->count > 0 && x->if_index == at->if_index && strcmp(x->switch_name, at->switch_name) == 0)
			slot = x;
	}
	for (size_t i = 0; slot == NULL && i < FLOODS_MAX; i++)
		if (e->floods[i].count == 0 || mono_since(e->floods[i].start, now.mono) > FLOOD_MS)
			slot = &e->floods[i], slot->count = 0;
	if (slot == NULL)
		return true;
	if (slot->count == 0 || mono_since(slot->start, now.mono) > FLOOD_MS) {
		*slot = (struct flood){ .if_index = at->if_index, .start = now.mono };
		memcpy(slot->switch_name, at->switch_name, sizeof slot->switch_name);
	}
	if (++slot->count <= ALARMS_PER_PORT)
		return true;
	e->counters[CNT_FLOODED]++;
	if (!slot->told) {
		event_of_finding(e, f, EVENT_MAC_FLOOD, &ev);
		ev.count = slot->count;
		slot->told = event_commit(e, &ev, NULL, NULL, now) == 0;
	}
	return false;
}

/* Existing stock on sites that are not paged one by one is part of its switch's summary. */
static bool
is_quiet_stock(const struct engine *e, const struct detection *d)
{
	const struct conf_site *site = d->site[0] != '\0' ? conf_site(e->conf, d->site) : NULL;

	return d->origin == ORIGIN_EXISTING && (site == NULL || !site->page_existing);
}

/* Writes `d` with its event; the finding takes `d` over only when that is on disk. */
static void
tell(struct engine *e, struct finding *f, struct detection *d, enum event_type type, struct moment now)
{
	struct finding next = *f;
	struct event ev;
	int rc;

	d->announced = true;
	next.d = *d;
	event_of_finding(e, &next, type, &ev);
	if (type == EVENT_DEVICE_DETECTED && (is_quiet_stock(e, d) || !port_may_alarm(e, &next, now))) {
		if ((rc = store_begin(e->store)) == 0 && (rc = store_detection_put(e->store, d)) == 0)
			rc = store_commit(e->store);
		if (rc < 0)
			store_rollback(e->store);
	} else {
		rc = event_commit(e, &ev, d, NULL, now);
	}
	if (rc < 0) {
		f->held = true;			/* decided again when its time comes */
		f->held_until = mono_add(now.mono, 1000);
		return;
	}
	f->d = *d;
	f->held = false;
	f->dirty = false;
}

/* ---- a new finding: wait for a better place */

/* True while it is worth waiting: some switch was never asked, or a switch behind an uplink is being asked. */
static bool
place_is_pending(struct engine *e, struct finding *f, const struct location *l, struct moment now)
{
	struct sw *ask[ASK_MAX];
	size_t n;

	if (!e->swept)
		return true;
	if (mono_since(f->held_until, now.mono) >= 0)
		return false;
	if (l->verdict != VERDICT_BEYOND)
		return false;
	n = locate_ask(&e->net, f->d.mac, ask, ASK_MAX);
	if (f->asks < ASK_MAX) {
		for (size_t i = 0; i < n; i++) {
			e->ops->poll_now(e->arg, ask[i]->key);
			e->counters[CNT_POLLS_ASKED]++;
		}
		f->asks++;
	}
	return n > 0;
}

static enum origin
origin_of(const struct engine *e, const struct detection *d)
{
	const struct sw *sw = net_switch_named(&e->net, d->location.place.switch_name);

	return sw == NULL || sw->baseline_at.us == 0 || d->first_seen.us <= sw->baseline_at.us ? ORIGIN_EXISTING : ORIGIN_NEW;
}

static void
finding_new(struct engine *e, struct detection *d, struct moment now)
{
	struct finding *f;

	d->presence = PRESENCE_PRESENT;
	d->handling = HANDLING_OPEN;
	d->first_seen = d->last_seen = now.wall;
	if (store_begin(e->store) < 0 || store_next(e->store, COUNTER_DETECTION, &d->id) < 0 || store_commit(e->store) < 0) {
		store_rollback(e->store);
		e->counters[CNT_STORE_FAILURES]++;
		e->all_stale = true;		/* looked at again */
		return;
	}
	if ((f = finding_add(e, d)) == NULL)
		return;
	f->held = true;
	f->held_until = mono_add(now.mono, HOLD_MS);
	f->seen_at = now.wall;
}

static void
finding_announce(struct engine *e, struct finding *f, struct detection *d, struct moment now)
{
	if (place_is_pending(e, f, &d->location, now)) {
		f->d = *d;
		return;
	}
	d->origin = origin_of(e, d);
	d->severity = severity_of(e, d);
	tell(e, f, d, EVENT_DEVICE_DETECTED, now);
}

/* ---- a known finding */

static bool
is_better(const struct detection *was, const struct detection *is)
{
	return is->confidence < was->confidence || (is_placed(&is->location) && !is_placed(&was->location)) ||
	    (is->conflict && !was->conflict);
}

static void
presence_close(struct engine *e, struct finding *f, struct wall to)
{
	if (store_begin(e->store) < 0 || store_presence_put(e->store, f->d.id, &f->d.location.place, f->present_since, to) < 0 ||
	    store_commit(e->store) < 0)
		store_rollback(e->store);
	f->present_since = to;
}

static void
finding_update(struct engine *e, struct finding *f, struct detection *d, struct moment now)
{
	bool seen = d->location.reason != REASON_NOT_SEEN;

	if (!seen) {				/* absence is judged poll by poll, in detect_polled() */
		d->location = f->d.location;
		memcpy(d->site, f->d.site, sizeof d->site);
		f->dirty = true;
		return;
	}
	f->absent_polls = 0;
	d->last_seen = now.wall;
	d->gone_at = (struct wall){ 0 };
	if (f->d.presence == PRESENCE_GONE) {
		d->presence = PRESENCE_PRESENT;
		d->origin = ORIGIN_RETURNED;
		d->severity = severity_of(e, d);
		f->seen_at = f->present_since = now.wall;
		if (d->location.verdict == VERDICT_BEYOND && e->swept) {
			if (!f->held)
				f->held_until = mono_add(now.mono, HOLD_MS), f->asks = 0;
			f->held = true;
			if (place_is_pending(e, f, &d->location, now))
				return;
		}
		tell(e, f, d, EVENT_DEVICE_RETURNED, now);
		return;
	}
	d->presence = PRESENCE_PRESENT;
	d->severity = severity_of(e, d);
	if (is_placed(&d->location) && is_placed(&f->d.location) && !same_place(&d->location.place, &f->d.location.place)) {
		presence_close(e, f, now.wall);
		f->seen_at = now.wall;
		tell(e, f, d, EVENT_DEVICE_MOVED, now);
		return;
	}
	/* It was placed, and now only uplinks show it: on its way to another port, or to being gone. Keep the place till one is known. */
	if (is_placed(&f->d.location) && !is_placed(&d->location)) {
		struct sw *ask[ASK_MAX];
		size_t n = locate_ask(&e->net, d->mac, ask, ASK_MAX);

		for (size_t i = 0; i < n && f->asks < ASK_MAX; i++)
			e->ops->poll_now(e->arg, ask[i]->key);
		f->asks++;
		d->location = f->d.location;
		memcpy(d->site, f->d.site, sizeof d->site);
	} else if (is_better(&f->d, d)) {
		tell(e, f, d, EVENT_DEVICE_CHANGED, now);
		return;
	}
	f->d = *d;
	f->dirty = true;
}

void
detect_mac(struct engine *e, struct mac mac, struct moment now)
{
	struct finding *f = finding_of(e, mac);
	struct detection d = { 0 };
	const struct station *st = net_station(&e->net, mac);

	if (mac_is_zero(mac) || mac_is_group(mac))
		return;
	if (f != NULL)
		d = f->d;
	if (!describe(e, mac, &d, now.wall))
		return;
	if (f == NULL) {
		if (d.location.reason == REASON_NOT_SEEN && (st == NULL || st->n == 0))
			return;
		finding_new(e, &d, now);
		if ((f = finding_of(e, mac)) == NULL)
			return;
	}
	if (!f->d.announced)
		finding_announce(e, f, &d, now);
	else
		finding_update(e, f, &d, now);
}

/* ---- switches */

static void
summary_tell(struct engine *e, struct sw *sw, struct moment now)
{
	struct event ev;
	uint32_t count = 0;

	for (size_t i = 0; i < e->n_findings; i++) {
		const struct detection *d = &e->findings[i]->d;

		if (strcmp(d->location.place.switch_name, sw->name) == 0 && d->announced && is_quiet_stock(e, d))
			count++;
	}
	if (count == 0)
		return;
	event_of_switch(e, sw, EVENT_SUMMARY, &ev);
	ev.severity = SEVERITY_MINOR;
	ev.count = count;
	snprintf(ev.text, sizeof ev.text, "%u restricted devices were there when %.60s was first read", count, sw->name);
	event_commit(e, &ev, NULL, NULL, now);
}

static void
absence(struct engine *e, struct finding *f, const struct sw *sw, struct moment now)
{
	struct detection d = f->d;

	if (d.presence == PRESENCE_GONE || !d.announced || strcmp(d.location.place.switch_name, sw->name) != 0)
		return;
	locate(&e->net, d.mac, &d.location);
	if (d.location.reason != REASON_NOT_SEEN) {
		f->absent_polls = 0;
		f->d.last_seen = now.wall;
		return;
	}
	f->absent_polls++;
	if (f->absent_polls < 2 || now.wall.us - f->d.last_seen.us < (int64_t)sw->ageing_s * 1000000)
		return;
	d.location = f->d.location;
	d.presence = PRESENCE_GONE;
	d.gone_at = now.wall;
	d.severity = SEVERITY_INFO;
	presence_close(e, f, now.wall);
	f->seen_at = now.wall;
	tell(e, f, &d, EVENT_DEVICE_GONE, now);
}

void
detect_polled(struct engine *e, struct sw *sw, bool complete, struct moment now)
{
	if (complete)
		for (size_t i = 0; i < e->n_findings; i++)
			absence(e, e->findings[i], sw, now);
	if (sw->baseline_at.us != 0 || !e->swept || (sw->complete_polls == 0 && sw->polls < 3))
		return;
	/* The baseline is an act with a date. What is located here now was there before we looked. */
	sw->baseline_at = now.wall;
	sw->dirty = true;
	sw->written = (struct mono){ 0 };	/* with the next batch: a crash must not take a second baseline */
	for (size_t i = 0; i < e->n_findings; i++)
		if (e->findings[i]->held)
			detect_mac(e, e->findings[i]->d.mac, now);
	summary_tell(e, sw, now);
}

static bool
is_behind_dead(const struct sw *sw)
{
	for (size_t i = 0; i < sw->n_ports; i++)
		if (sw->ports[i].uplink && sw->ports[i].towards != NULL && sw->ports[i].towards->unreachable_told)
			return true;
	return false;
}

void
detect_reachability(struct engine *e, struct sw *sw, struct moment now)
{
	bool lost = sw->missed >= 3, was = sw->unreachable_told;
	struct event ev;
	uint32_t count = 0;

	if (lost == was)
		return;
	for (size_t i = 0; i < e->n_findings; i++) {
		struct finding *f = e->findings[i];

		if (strcmp(f->d.location.place.switch_name, sw->name) != 0 || f->d.presence == PRESENCE_GONE)
			continue;
		count++;
		f->d.presence = lost ? PRESENCE_STALE : PRESENCE_PRESENT;
		f->dirty = true;
	}
	event_of_switch(e, sw, lost ? EVENT_SWITCH_UNREACHABLE : EVENT_SWITCH_REACHABLE, &ev);
	ev.count = count;
	ev.severity = lost ? SEVERITY_MAJOR : SEVERITY_INFO;
	snprintf(ev.text, sizeof ev.text, "%.60s %s; %u restricted devices there", sw->name, lost ? "does not answer" : "answers again", count);
	if (is_behind_dead(sw) || event_commit(e, &ev, NULL, NULL, now) == 0) {
		sw->unreachable_told = lost;
		sw->dirty = true;
		sw->written = (struct mono){ 0 };
	}
}

int64_t
detect_tick(struct engine *e, struct moment now)
{
	int64_t next = 60000;

	for (size_t i = 0; i < e->n_findings; i++) {
		struct finding *f = e->findings[i];
		int64_t ms;

		if (!f->held)
			continue;
		ms = mono_since(now.mono, f->held_until);
		if (ms <= 0 && e->swept) {
			detect_mac(e, f->d.mac, now);
			ms = 1000;
		}
		next = ms > 0 && ms < next ? ms : next;
	}
	return next;
}
