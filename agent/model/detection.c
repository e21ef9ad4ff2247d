/* agent/model/detection.c: detections and events as octets, for messages and the database. */
#include "model/detection.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#define DETECTION_VERSION 3
#define DETECTION_BEFORE_ARRIVED 2	/* is read all the same */
#define EVENT_VERSION 1

static void
ip_put(struct buf *b, const struct ip *ip)
{
	put_octets(b, ip->b, ip_len(ip));
}

static struct ip
ip_get(struct msg_in *m)
{
	size_t n;
	const uint8_t *p = get_octets(m, &n);

	if (n != 0 && n != 4 && n != 16)
		m->bad = true;
	return ip_of(p, (unsigned)n);
}

/* An enumeration of 1..max; 0 stands for "does not apply". */
static uint8_t
enum_get(struct msg_in *m, unsigned max)
{
	uint8_t v = get_u8(m);

	if (v > max)
		m->bad = true;
	return v;
}

static void
wall_put(struct buf *b, struct wall t)
{
	put_u64(b, (uint64_t)t.us);
}

static struct wall
wall_get(struct msg_in *m)
{
	return (struct wall){ (int64_t)get_u64(m) };
}

static void
place_put(struct buf *b, const struct place *p)
{
	put_text(b, p->switch_name);
	put_u32(b, p->if_index);
	put_text(b, p->port);
	put_text(b, p->alias);
	put_u16(b, p->vlan);
}

static void
place_get(struct msg_in *m, struct place *p)
{
	get_text_into(m, p->switch_name, sizeof p->switch_name);
	p->if_index = get_u32(m);
	get_text_into(m, p->port, sizeof p->port);
	get_text_into(m, p->alias, sizeof p->alias);
	p->vlan = get_u16(m);
}

void
location_encode(struct buf *b, const struct location *l)
{
	assert(l->n_candidates <= CANDIDATES_MAX);
	put_u8(b, (uint8_t)l->verdict);
	put_u8(b, (uint8_t)l->reason);
	put_text(b, l->reason_text);
	place_put(b, &l->place);
	put_u8(b, l->n_candidates);
	for (size_t i = 0; i < l->n_candidates; i++)
		place_put(b, &l->candidates[i]);
}

int
location_decode(struct msg_in *m, struct location *l)
{
	memset(l, 0, sizeof *l);
	l->verdict = enum_get(m, VERDICT_UNKNOWN);
	l->reason = enum_get(m, REASON_PENDING);
	get_text_into(m, l->reason_text, sizeof l->reason_text);
	place_get(m, &l->place);
	l->n_candidates = enum_get(m, CANDIDATES_MAX);
	if (m->bad)
		l->n_candidates = 0;
	for (size_t i = 0; i < l->n_candidates; i++)
		place_get(m, &l->candidates[i]);
	return m->bad ? -EBADMSG : 0;
}

void
detection_encode(struct buf *b, const struct detection *d)
{
	assert(d->n_evidence <= EVIDENCE_MAX);
	put_u8(b, DETECTION_VERSION);
	put_u32(b, d->id);
	put_bytes(b, d->mac.b, sizeof d->mac.b);
	put_text(b, d->vendor);
	put_text(b, d->policies);
	put_u8(b, (uint8_t)d->presence);
	put_u8(b, (uint8_t)d->handling);
	put_u8(b, (uint8_t)d->origin);
	put_u8(b, (uint8_t)d->confidence);
	put_u8(b, (uint8_t)d->severity);
	location_encode(b, &d->location);
	put_text(b, d->site);
	ip_put(b, &d->ip);
	wall_put(b, d->first_seen);
	wall_put(b, d->last_seen);
	put_u8(b, d->absent);
	wall_put(b, d->gone_at);
	wall_put(b, d->since);
	wall_put(b, d->arrived);
	put_u8(b, d->n_evidence);
	for (size_t i = 0; i < d->n_evidence; i++) {
		put_text(b, d->evidence[i].source);
		put_text(b, d->evidence[i].key);
		put_text(b, d->evidence[i].value);
		wall_put(b, d->evidence[i].at);
	}
	put_text(b, d->maker_reason);
	put_u8(b, d->conflict);
	put_u8(b, d->announced);
	put_u8(b, (uint8_t)d->told);
	put_text(b, d->handled_by);
	put_text(b, d->handled_why);
	wall_put(b, d->waived_until);
}

int
detection_decode(struct msg_in *m, struct detection *d)
{
	uint8_t version = get_u8(m);

	memset(d, 0, sizeof *d);
	if (version != DETECTION_VERSION && version != DETECTION_BEFORE_ARRIVED)
		m->bad = true;
	d->id = get_u32(m);
	get_bytes(m, d->mac.b, sizeof d->mac.b);
	get_text_into(m, d->vendor, sizeof d->vendor);
	get_text_into(m, d->policies, sizeof d->policies);
	d->presence = enum_get(m, PRESENCE_GONE);
	d->handling = enum_get(m, HANDLING_REMOVED);
	d->origin = enum_get(m, ORIGIN_POLICY);
	d->confidence = enum_get(m, CONFIDENCE_POSSIBLE);
	d->severity = enum_get(m, SEVERITY_INFO);
	location_decode(m, &d->location);
	get_text_into(m, d->site, sizeof d->site);
	d->ip = ip_get(m);
	d->first_seen = wall_get(m);
	d->last_seen = wall_get(m);
	d->absent = get_u8(m) != 0;
	d->gone_at = wall_get(m);
	d->since = wall_get(m);
	d->arrived = version == DETECTION_BEFORE_ARRIVED ? d->since : wall_get(m);
	d->n_evidence = enum_get(m, EVIDENCE_MAX);
	if (m->bad)
		d->n_evidence = 0;
	for (size_t i = 0; i < d->n_evidence; i++) {
		get_text_into(m, d->evidence[i].source, sizeof d->evidence[i].source);
		get_text_into(m, d->evidence[i].key, sizeof d->evidence[i].key);
		get_text_into(m, d->evidence[i].value, sizeof d->evidence[i].value);
		d->evidence[i].at = wall_get(m);
	}
	get_text_into(m, d->maker_reason, sizeof d->maker_reason);
	d->conflict = get_u8(m) != 0;
	d->announced = get_u8(m) != 0;
	d->told = enum_get(m, TOLD_SINGLY);
	get_text_into(m, d->handled_by, sizeof d->handled_by);
	get_text_into(m, d->handled_why, sizeof d->handled_why);
	d->waived_until = wall_get(m);
	return m->bad ? -EBADMSG : 0;
}

void
event_encode(struct buf *b, const struct event *e)
{
	assert(e->type >= 1 && e->type <= EVENT_AGENT_RECOVERED);
	put_u8(b, EVENT_VERSION);
	put_text(b, e->id);
	put_u32(b, e->sequence);
	put_u32(b, e->epoch);
	put_u8(b, (uint8_t)e->type);
	wall_put(b, e->at);
	put_u8(b, (uint8_t)e->severity);
	put_u32(b, e->detection_id);
	put_bytes(b, e->mac.b, sizeof e->mac.b);
	put_text(b, e->vendor);
	put_text(b, e->policy);
	put_u8(b, (uint8_t)e->confidence);
	put_u8(b, (uint8_t)e->presence);
	put_u8(b, (uint8_t)e->handling);
	put_u8(b, (uint8_t)e->origin);
	put_text(b, e->site);
	put_text(b, e->switch_name);
	put_text(b, e->switch_location);
	ip_put(b, &e->switch_address);
	put_u32(b, e->if_index);
	put_text(b, e->port);
	put_text(b, e->alias);
	put_u16(b, e->vlan);
	ip_put(b, &e->device_address);
	put_u8(b, (uint8_t)e->verdict);
	put_text(b, e->reason);
	put_text(b, e->evidence);
	put_u32(b, e->count);
	put_text(b, e->text);
	wall_put(b, e->seen_at);
	wall_put(b, e->decided_at);
}

int
event_decode(struct msg_in *m, struct event *e)
{
	memset(e, 0, sizeof *e);
	if (get_u8(m) != EVENT_VERSION)
		m->bad = true;
	get_text_into(m, e->id, sizeof e->id);
	e->sequence = get_u32(m);
	e->epoch = get_u32(m);
	e->type = enum_get(m, EVENT_AGENT_RECOVERED);
	e->at = wall_get(m);
	e->severity = enum_get(m, SEVERITY_INFO);
	e->detection_id = get_u32(m);
	get_bytes(m, e->mac.b, sizeof e->mac.b);
	get_text_into(m, e->vendor, sizeof e->vendor);
	get_text_into(m, e->policy, sizeof e->policy);
	e->confidence = enum_get(m, CONFIDENCE_POSSIBLE);
	e->presence = enum_get(m, PRESENCE_GONE);
	e->handling = enum_get(m, HANDLING_REMOVED);
	e->origin = enum_get(m, ORIGIN_POLICY);
	get_text_into(m, e->site, sizeof e->site);
	get_text_into(m, e->switch_name, sizeof e->switch_name);
	get_text_into(m, e->switch_location, sizeof e->switch_location);
	e->switch_address = ip_get(m);
	e->if_index = get_u32(m);
	get_text_into(m, e->port, sizeof e->port);
	get_text_into(m, e->alias, sizeof e->alias);
	e->vlan = get_u16(m);
	e->device_address = ip_get(m);
	e->verdict = enum_get(m, VERDICT_UNKNOWN);
	get_text_into(m, e->reason, sizeof e->reason);
	get_text_into(m, e->evidence, sizeof e->evidence);
	e->count = get_u32(m);
	get_text_into(m, e->text, sizeof e->text);
	e->seen_at = wall_get(m);
	e->decided_at = wall_get(m);
	if (e->type == 0)
		m->bad = true;
	return m->bad ? -EBADMSG : 0;
}
